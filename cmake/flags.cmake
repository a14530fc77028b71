# Compile and link flags of every target of the project.
add_library(rm_flags INTERFACE)
target_compile_definitions(rm_flags INTERFACE _GNU_SOURCE)
target_compile_options(rm_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                                          -Wpointer-arith -Wwrite-strings -Wvla -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_C_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 calls a loop over strstr() a dangling pointer once it is inlined; asan watches for the real thing.
  target_compile_options(rm_flags INTERFACE -Wno-dangling-pointer)
endif()
if(RM_WERROR)
  target_compile_options(rm_flags INTERFACE -Werror)
endif()
if(RM_SANITIZE)
  target_compile_options(rm_flags INTERFACE -fsanitize=${RM_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rm_flags INTERFACE -fsanitize=${RM_SANITIZE})
endif()
