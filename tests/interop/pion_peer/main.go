// SPDX-License-Identifier: Apache-2.0

// Command pion_peer is Pion as the peer of rmrtc. Usage: pion_peer URL ROOM offer|answer [CODEC|data]
//
// It joins the room as "page", offers to "rm" or waits for its offer, sends Opus silence for some seconds once
// connected, and prints one JSON line. The exit code is 0 only when it was connected, and still is at the end.
//
// With "data" as CODEC it is the other side of data_peer; see data.go. With CODEC (VP8, VP9, H264) it sends back the sound and pictures that come, instead of silence, until it has received
// enough of both; see loop.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
	"github.com/pion/webrtc/v3/pkg/media"
	"golang.org/x/net/websocket"
)

const (
	me         = "page"
	remote     = "rm"
	connectFor = 10 * time.Second
	mediaFor   = 2500 * time.Millisecond
	frame      = 20 * time.Millisecond
)

var opusSilence = []byte{0xf8, 0xff, 0xfe} // a 20 ms frame, as browsers send it for a muted microphone

type params map[string]interface{}

type message struct {
	Version string          `json:"jsonrpc"`
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  params          `json:"params,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

type peer struct {
	mu      sync.Mutex // of socket and next
	socket  *websocket.Conn
	next    int
	pc      *webrtc.PeerConnection
	loop    *loop                     // nil: silence is sent
	data    *channels                 // nil: media is sent
	pending []webrtc.ICECandidateInit // came before the remote description
	faults  chan error
}

func (p *peer) send(method string, what params) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	m := message{Version: "2.0", ID: p.next, Method: method, Params: what}
	if err := websocket.JSON.Send(p.socket, m); err != nil {
		p.fault(err)
	}
}

func (p *peer) fault(err error) {
	select {
	case p.faults <- err:
	default:
	}
}

func (p *peer) describe(method string, d webrtc.SessionDescription) error {
	if err := p.pc.SetLocalDescription(d); err != nil {
		return err
	}
	p.send(method, params{"from": me, "to": remote, "sdp": d.SDP})
	return nil
}

func (p *peer) setRemote(kind webrtc.SDPType, sdp string) error {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	for _, c := range p.pending {
		if err := p.pc.AddICECandidate(c); err != nil {
			return err
		}
	}
	p.pending = nil
	return nil
}

func (p *peer) candidate(what params) error {
	text, _ := what["candidate"].(string)
	if text == "" {
		return nil // Pion has no use for the end of candidates
	}
	c := webrtc.ICECandidateInit{Candidate: text}
	if mid, ok := what["sdp_mid"].(string); ok {
		c.SDPMid = &mid
	}
	if p.pc.RemoteDescription() == nil {
		p.pending = append(p.pending, c)
		return nil
	}
	return p.pc.AddICECandidate(c)
}

func (p *peer) handle(m message) error {
	sdp, _ := m.Params["sdp"].(string)
	switch m.Method {
	case "peer.offer":
		if err := p.setRemote(webrtc.SDPTypeOffer, sdp); err != nil {
			return err
		}
		answer, err := p.pc.CreateAnswer(nil)
		if err != nil {
			return err
		}
		return p.describe("peer.answer", answer)
	case "peer.answer":
		return p.setRemote(webrtc.SDPTypeAnswer, sdp)
	case "peer.ice_candidate":
		return p.candidate(m.Params)
	}
	return nil
}

func (p *peer) receive(announced chan<- struct{}) {
	for first := true; ; first = false {
		var m message
		if err := websocket.JSON.Receive(p.socket, &m); err != nil {
			p.fault(err)
			return
		}
		if len(m.Error) > 0 {
			p.fault(errors.New(string(m.Error)))
			return
		}
		if first {
			close(announced) // the first message is the reply to the announcement
		}
		if err := p.handle(m); err != nil {
			p.fault(fmt.Errorf("%s: %w", m.Method, err))
		}
	}
}

func (p *peer) trickle(c *webrtc.ICECandidate) {
	what := params{"from": me, "to": remote, "candidate": "", "sdp_mid": nil, "sdp_m_line_index": nil}
	if c != nil {
		init := c.ToJSON()
		what["candidate"], what["sdp_mid"], what["sdp_m_line_index"] = init.Candidate, init.SDPMid, init.SDPMLineIndex
	}
	p.send("peer.ice_candidate", what)
}

func addSilence(pc *webrtc.PeerConnection) (*webrtc.TrackLocalStaticSample, error) {
	track, err := webrtc.NewTrackLocalStaticSample(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", me)
	if err == nil {
		_, err = pc.AddTrack(track)
	}
	return track, err
}

// run returns how many packets were sent.
func (p *peer) run(url, room, role string) (int, error) {
	var err error
	if p.pc, err = webrtc.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return 0, err
	}
	var track *webrtc.TrackLocalStaticSample
	if p.data != nil {
		err = p.data.attach(p.pc)
	} else if p.loop != nil {
		err = p.loop.attach(p.pc)
	} else {
		track, err = addSilence(p.pc)
	}
	if err != nil {
		return 0, err
	}
	settled := make(chan webrtc.PeerConnectionState, 8)
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s >= webrtc.PeerConnectionStateConnected {
			settled <- s
		}
	})
	p.pc.OnICECandidate(p.trickle)
	if p.socket, err = websocket.Dial(url, "", "http://127.0.0.1/"); err != nil {
		return 0, err
	}
	announced := make(chan struct{})
	p.send("peer.announce", params{"peer_id": me, "capabilities": []string{"audio", "video", "data"}, "room": room})
	go p.receive(announced)
	select {
	case <-announced:
		fmt.Println("announced")
	case err = <-p.faults:
		return 0, err
	}
	if role == "offer" {
		if err = p.offer(); err != nil {
			return 0, err
		}
	}
	select {
	case s := <-settled:
		if s != webrtc.PeerConnectionStateConnected {
			return 0, fmt.Errorf("settled as %s", s)
		}
	case err = <-p.faults:
		return 0, err
	case <-time.After(connectFor):
		return 0, errors.New("not connected in time")
	}
	if p.data != nil {
		return 0, p.data.run(settled)
	}
	if p.loop != nil {
		return p.loop.wait(p.faults)
	}
	return p.sendAudio(track)
}

func (p *peer) offer() error {
	if _, err := p.pc.CreateDataChannel("control", nil); err != nil {
		return err
	}
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	return p.describe("peer.offer", offer)
}

func (p *peer) sendAudio(track *webrtc.TrackLocalStaticSample) (int, error) {
	ticker := time.NewTicker(frame)
	defer ticker.Stop()
	sent := 0
	for end := time.Now().Add(mediaFor); time.Now().Before(end); sent++ {
		<-ticker.C
		if err := track.WriteSample(media.Sample{Data: opusSilence, Duration: frame}); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: pion_peer URL ROOM offer|answer [CODEC|data]")
		os.Exit(2)
	}
	p := &peer{faults: make(chan error, 8)}
	if len(os.Args) == 5 && os.Args[4] == "data" {
		p.data = &channels{}
	} else if len(os.Args) == 5 {
		p.loop = newLoop(os.Args[4])
	}
	sent, err := p.run(os.Args[1], os.Args[2], os.Args[3])
	report := map[string]interface{}{"packets_sent": sent, "error": nil}
	if err != nil {
		report["error"] = err.Error()
	}
	if p.loop != nil {
		p.loop.describe(report)
	}
	good := false
	if p.pc != nil {
		state := p.pc.ConnectionState()
		good = err == nil && state == webrtc.PeerConnectionStateConnected
		report["state"] = state.String()
		kinds := []string{}
		for _, t := range p.pc.GetTransceivers() {
			kinds = append(kinds, t.Mid()+" "+t.Kind().String()+" "+t.Direction().String())
		}
		report["media"] = kinds
		if err := p.pc.Close(); err != nil {
			good = false
			report["error"] = err.Error()
		}
	}
	text, _ := json.Marshal(report)
	fmt.Println(string(text))
	if !good {
		os.Exit(1)
	}
}
