# The installed library: shared, versioned, only the public headers, found by pkg-config.
add_library(remotemedia_webrtc SHARED $<TARGET_OBJECTS:rm_objects>)
set_target_properties(remotemedia_webrtc PROPERTIES OUTPUT_NAME remotemedia-webrtc VERSION ${PROJECT_VERSION} SOVERSION 0)
target_include_directories(remotemedia_webrtc INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(remotemedia_webrtc PRIVATE rm_flags ${RM_LIBRARIES})
# nanopb comes as a static library whose names are visible: inside ours they are nobody else's.
target_link_options(remotemedia_webrtc PRIVATE LINKER:--exclude-libs,libprotobuf-nanopb.a)
configure_file(${CMAKE_SOURCE_DIR}/cmake/remotemedia-webrtc.pc.in ${CMAKE_BINARY_DIR}/remotemedia-webrtc.pc @ONLY)
set_target_properties(remotemedia_webrtc PROPERTIES EXPORT_NAME remotemedia-webrtc)
install(TARGETS remotemedia_webrtc EXPORT remotemedia-webrtc-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(RM_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/remotemedia-webrtc)
install(EXPORT remotemedia-webrtc-targets NAMESPACE remotemedia-webrtc:: DESTINATION ${RM_CMAKE_DIR})
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/remotemedia-webrtc-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/remotemedia-webrtc-config.cmake
              ${CMAKE_BINARY_DIR}/remotemedia-webrtc-config-version.cmake DESTINATION ${RM_CMAKE_DIR})
if(TARGET rmrtc)
  install(TARGETS rmrtc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/remotemedia DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/remotemedia-webrtc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
