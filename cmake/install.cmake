# The installed library: shared, versioned, only the public headers, found by pkg-config.
add_library(remotemedia_webrtc SHARED $<TARGET_OBJECTS:rm_objects>)
set_target_properties(remotemedia_webrtc PROPERTIES OUTPUT_NAME remotemedia-webrtc VERSION ${PROJECT_VERSION} SOVERSION 0)
target_include_directories(remotemedia_webrtc INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(remotemedia_webrtc PRIVATE rm_flags PkgConfig::OPENSSL PkgConfig::SRTP PkgConfig::JANSSON
                                                 PkgConfig::UV PkgConfig::LWS Threads::Threads m)
configure_file(${CMAKE_SOURCE_DIR}/cmake/remotemedia-webrtc.pc.in ${CMAKE_BINARY_DIR}/remotemedia-webrtc.pc @ONLY)
install(TARGETS remotemedia_webrtc LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET rmrtc)
  install(TARGETS rmrtc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/remotemedia DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/remotemedia-webrtc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
