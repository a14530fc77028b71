module remotemedia-webrtc/interop/pion

go 1.19
