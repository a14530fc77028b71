// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/pion/webrtc/v3"
)

const (
	dataFor       = 20 * time.Second
	lossyFor      = time.Second
	lossyTries    = 15
	unrepeatedMax = 16384 // as in data_peer.c
)

var dataSizes = []int{1, 0, 2, 1000, 1163, 1200, 16384, 65535}

type dataKind struct {
	label   string
	options webrtc.DataChannelInit
}

// channels is the other side of data_peer.c, whose comment says what both do.
type channels struct {
	pc         *webrtc.PeerConnection
	negotiated *webrtc.DataChannel
	ended      chan struct{}
}

func number(n uint16) *uint16 { return &n }
func yes(b bool) *bool        { return &b }

func dataKinds() []dataKind {
	return []dataKind{
		{"page-reliable", webrtc.DataChannelInit{}},
		{"page-unordered", webrtc.DataChannelInit{Ordered: yes(false)}},
		{"page-retransmits", webrtc.DataChannelInit{MaxRetransmits: number(5)}},
		{"page-unordered-none", webrtc.DataChannelInit{Ordered: yes(false), MaxRetransmits: number(0)}},
		{"page-lifetime", webrtc.DataChannelInit{MaxPacketLifeTime: number(3000)}},
		{"page-unordered-lifetime", webrtc.DataChannelInit{Ordered: yes(false), MaxPacketLifeTime: number(3000)}},
		{"page-negotiated", webrtc.DataChannelInit{Negotiated: yes(true), ID: number(101)}},
	}
}

func (c *channels) attach(pc *webrtc.PeerConnection) error {
	c.pc = pc
	pc.OnDataChannel(func(d *webrtc.DataChannel) {
		if d.Label() != "control" {
			serve(d)
		}
	})
	theirs, err := pc.CreateDataChannel("rm-negotiated", &webrtc.DataChannelInit{Negotiated: yes(true), ID: number(100)})
	if err != nil {
		return err
	}
	serve(theirs)
	c.negotiated, err = pc.CreateDataChannel("page-negotiated", &webrtc.DataChannelInit{Negotiated: yes(true), ID: number(101)})
	return err
}

// serve sends back what comes on a channel of the other side; the bulk is only counted.
func serve(d *webrtc.DataChannel) {
	count, crc := 0, uint32(0)
	d.OnMessage(func(m webrtc.DataChannelMessage) {
		switch {
		case d.Label() == "rm-bulk" && m.IsString:
			_ = d.SendText(fmt.Sprintf("%d %d", count, crc)) // fails when closed; then the other side says so
		case d.Label() == "rm-bulk":
			count += len(m.Data)
			crc = crc32.Update(crc, crc32.IEEETable, m.Data)
		case m.IsString:
			_ = d.SendText(string(m.Data))
		default:
			_ = d.Send(m.Data)
		}
	})
}

func dataText(size, seed int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = byte(97 + (i+seed*7+i/997)%26)
	}
	return text
}

func exchange(d *webrtc.DataChannel, inbox <-chan webrtc.DataChannelMessage, size, seed int, lossy bool) error {
	message, isText, tries, patience := dataText(size, seed), seed%2 == 1, 1, dataFor
	if lossy {
		tries, patience = lossyTries, lossyFor
	}
	for ; tries > 0; tries-- {
		err := error(nil)
		if isText {
			err = d.SendText(string(message))
		} else {
			err = d.Send(message)
		}
		if err != nil {
			return err
		}
		for late := time.After(patience); ; {
			select {
			case m := <-inbox:
				if m.IsString == isText && bytes.Equal(m.Data, message) {
					return nil
				}
				if !lossy {
					return fmt.Errorf("%s, %d bytes: another message came back", d.Label(), size)
				}
				continue
			case <-late:
			}
			break
		}
	}
	return fmt.Errorf("%s, %d bytes: not in time", d.Label(), size)
}

func (c *channels) testKind(k dataKind) error {
	d, err := c.negotiated, error(nil)
	if k.options.Negotiated == nil {
		if d, err = c.pc.CreateDataChannel(k.label, &k.options); err != nil {
			return err
		}
	}
	inbox, opened, closed := make(chan webrtc.DataChannelMessage, 64), make(chan struct{}), make(chan struct{})
	d.OnMessage(func(m webrtc.DataChannelMessage) { inbox <- m })
	d.OnOpen(func() { close(opened) })
	d.OnClose(func() { close(closed) })
	select {
	case <-opened:
	case <-time.After(dataFor):
		return fmt.Errorf("%s does not open", k.label)
	}
	lossy := k.options.MaxRetransmits != nil || k.options.MaxPacketLifeTime != nil
	for seed, size := range dataSizes {
		if k.options.MaxRetransmits != nil && *k.options.MaxRetransmits == 0 && size > unrepeatedMax {
			continue
		}
		if err := exchange(d, inbox, size, seed, lossy); err != nil {
			return err
		}
	}
	if err := d.Close(); err != nil {
		return err
	}
	select {
	case <-closed:
	case <-time.After(dataFor):
		return fmt.Errorf("%s does not close", k.label)
	}
	return nil
}

// run reports to the other side, which then ends the connection.
func (c *channels) run(settled <-chan webrtc.PeerConnectionState) error {
	report := "ok"
	for _, k := range dataKinds() {
		if err := c.testKind(k); err != nil {
			report = err.Error()
			break
		}
	}
	d, err := c.pc.CreateDataChannel("page-report", nil)
	if err != nil {
		return err
	}
	d.OnOpen(func() { _ = d.SendText(report) }) // fails when closed; then nobody waits for it
	select {
	case <-settled:
	case <-time.After(dataFor):
	}
	return nil
}
