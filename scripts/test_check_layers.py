#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that check-layers.py can fail: trees with one violation each, and one without."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "check-layers.py"


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.root = pathlib.Path(self.dir.name)

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run_check(self):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(self.root)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    def assert_refused(self, name, line, place=1):
        self.put(name, "\n" * (place - 1) + line + "\n")
        code, out = self.run_check()
        self.assertEqual(code, 1, out)
        self.assertIn(f"{name}:{place}: ", out)
        self.assertIn("1 violations", out)

    def assert_accepted(self, name, line):
        self.put(name, line + "\n")
        code, out = self.run_check()
        self.assertEqual(code, 0, out)

    def test_order_of_layers(self):
        for name, line in [
            ("src/base/a.c", '#include "net/addr.h"'),
            ("src/net/a.c", '#include "ice/stun.h"'),
            ("src/ice/a.c", '#include "dtls/dtls.h"'),
            ("src/dtls/a.h", '#include "io/loop.h"'),
            ("src/signaling/a.c", '#include "net/addr.h"'),
            ("src/io/a.c", '#include "peer/endpoint.h"'),
            ("src/peer/a.c", '#include "io/udp.h"'),
            ("src/session/a.c", '#include "webrtc/facade.h"'),
            ("src/runtime/a.c", '#include "net/addr.h"'),
            ("src/webrtc/a.c", '#include "support/vnet.h"'),
            ("src/ice/a.c", '  #  include "peer/endpoint.h" // spaces'),
            ("include/remotemedia/a.h", '#include "base/log.h"'),
            ("src/ice/a.c", '#include "addr.h"'),
            ("src/mystery/a.c", '#include "base/log.h"'),
            ("src/a.c", '#include "base/log.h"'),
            ("src/ice/a_test.c", '#include "peer/endpoint.h"'),
        ]:
            with self.subTest(name=name, line=line):
                place = 1 if "mystery" in name or name == "src/a.c" else 3
                self.assert_refused(name, line, place)
                (self.root / name).unlink()

    def test_system_headers(self):
        for header in ["sys/socket.h", "unistd.h", "time.h", "pthread.h", "uv.h", "libwebsockets.h", "poll.h",
                       "netinet/in.h", "arpa/inet.h"]:
            for module in ["base", "net", "ice", "peer", "signaling"]:
                with self.subTest(header=header, module=module):
                    self.assert_refused(f"src/{module}/a.c", f"#include <{header}>")
                    (self.root / f"src/{module}/a.c").unlink()
            self.assert_accepted("src/io/a.c", f"#include <{header}>")

    def test_what_is_allowed(self):
        self.put("src/ice/private.h", "")
        for name, line in [
            ("src/ice/a.c", '#include "net/addr.h"'),
            ("src/ice/b.c", '#include "private.h"'),
            ("src/peer/a.c", '#include "signaling/client.h"'),
            ("src/webrtc/a.c", '#include "io/loop.h"'),
            ("tools/rmrtc/main.c", '#include "webrtc/facade.h"'),
            ("src/dtls/a_test.c", '#include "support/dtls_pair.h"'),
            ("src/base/a_test.c", "#include <pthread.h>"),
            ("src/base/b.c", "#include <string.h>"),
            ("include/remotemedia/a.h", "#include <remotemedia/export.h>"),
        ]:
            with self.subTest(name=name):
                self.assert_accepted(name, line)

    def test_an_empty_tree_is_no_success(self):
        self.assertEqual(self.run_check()[0], 1)


if __name__ == "__main__":
    unittest.main()
