# Imported target remotemedia-webrtc::remotemedia-webrtc (a shared library with no further requirements of its users).
include("${CMAKE_CURRENT_LIST_DIR}/remotemedia-webrtc-targets.cmake")
