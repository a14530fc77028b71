// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v3"
	"github.com/pion/webrtc/v3/pkg/media/samplebuilder"
)

const (
	loopPictures = 60
	loopSound    = 150 // packets of 20 ms
	loopFor      = 15 * time.Second
	loopLate     = 64 // packets that may wait for one before them
)

// A loop sends back what comes. Pion has no codec: pictures are put together from their packets and counted.
type loop struct {
	mimeType string
	mu       sync.Mutex // of all below
	remote   webrtc.SSRC
	pictures int
	packets  map[string]int // by kind
	sent     int
	enough   chan struct{}
	isEnough bool
}

func newLoop(codec string) *loop {
	return &loop{mimeType: "video/" + codec, packets: map[string]int{}, enough: make(chan struct{})}
}

func (l *loop) attach(pc *webrtc.PeerConnection) error {
	back := map[string]*webrtc.TrackLocalStaticRTP{}
	for kind, mimeType := range map[string]string{"audio": webrtc.MimeTypeOpus, "video": l.mimeType} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mimeType}, kind, me)
		if err != nil {
			return err
		}
		sender, err := pc.AddTrack(track)
		if err != nil {
			return err
		}
		back[kind] = track
		go l.passRequests(pc, sender)
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		kind := remote.Kind().String()
		if remote.Kind() == webrtc.RTPCodecTypeVideo {
			l.mu.Lock()
			l.remote = remote.SSRC()
			l.mu.Unlock()
		}
		l.passMedia(remote, back[kind], kind)
	})
	return nil
}

// passRequests asks for the key frames that rmrtc wants of what it gets: only rmrtc itself can make them.
func (l *loop) passRequests(pc *webrtc.PeerConnection, sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return // closed
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); !ok {
				continue
			}
			l.mu.Lock()
			pli := &rtcp.PictureLossIndication{MediaSSRC: uint32(l.remote)}
			l.mu.Unlock()
			_ = pc.WriteRTCP([]rtcp.Packet{pli}) // fails when closed; then nobody waits for it
		}
	}
}

func (l *loop) passMedia(remote *webrtc.TrackRemote, back *webrtc.TrackLocalStaticRTP, kind string) {
	pictures := samplebuilder.New(loopLate, depacketizer(remote.Codec().MimeType), remote.Codec().ClockRate)
	for {
		packet, _, err := remote.ReadRTP()
		if err != nil {
			return // closed
		}
		l.count(kind, packet.Clone(), pictures)
		packet.Header.Extension, packet.Header.Extensions = false, nil // numbered for the way here
		if back.WriteRTP(packet) == nil {
			l.mu.Lock()
			l.sent++
			l.mu.Unlock()
		}
	}
}

func depacketizer(mimeType string) rtp.Depacketizer {
	switch {
	case strings.EqualFold(mimeType, webrtc.MimeTypeVP8):
		return &codecs.VP8Packet{}
	case strings.EqualFold(mimeType, webrtc.MimeTypeVP9):
		return &codecs.VP9Packet{}
	case strings.EqualFold(mimeType, webrtc.MimeTypeH264):
		return &codecs.H264Packet{}
	}
	return &codecs.OpusPacket{}
}

func (l *loop) count(kind string, packet *rtp.Packet, pictures *samplebuilder.SampleBuilder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets[kind]++
	if kind == "video" {
		pictures.Push(packet)
		for pictures.Pop() != nil {
			l.pictures++
		}
	}
	if !l.isEnough && l.pictures >= loopPictures && l.packets["audio"] >= loopSound {
		l.isEnough = true
		close(l.enough)
	}
}

// wait returns how many packets were sent back.
func (l *loop) wait(faults <-chan error) (int, error) {
	var err error
	select {
	case <-l.enough:
	case err = <-faults:
	case <-time.After(loopFor):
		err = errors.New("too little media came")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("%w, after %d pictures and %d packets of sound", err, l.pictures, l.packets["audio"])
	}
	return l.sent, err
}

func (l *loop) describe(report map[string]interface{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	report["pictures"] = l.pictures
	report["packets_received"] = l.packets
}
