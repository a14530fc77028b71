#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the #include lines of src/, tools/ and include/ to the order of the layers (ARCHITECTURE.md).

usage: check-layers.py [ROOT]    prints FILE:LINE: reason for each violation; exit 1 when there is one
"""
import pathlib
import re
import sys

PURE = {"ice", "dtls", "srtp", "sctp", "sdp", "rtp", "jitter", "cc", "codec", "media"}
GROUND = {"base", "frame", "net"}
PEER_SEES = GROUND | PURE | {"signaling", "obs"}
SESSION_SEES = PEER_SEES | {"peer", "runtime"}

# What each module may include besides itself.
ALLOWED = {
    "base": set(),
    "frame": {"base"},
    "net": {"base", "frame"},
    **{module: GROUND for module in PURE},
    "signaling": {"base"},
    "obs": {"base"},
    "runtime": {"base", "frame", "media"},
    "nodes": {"base", "frame", "codec", "media", "runtime"},  # codec: VideoEncoder and VideoDecoder
    "peer": PEER_SEES,
    "session": SESSION_SEES,
    "io": {"base", "net"},
    "webrtc": SESSION_SEES | {"session", "nodes", "io"},
    "tools": SESSION_SEES | {"session", "nodes", "io", "webrtc"},
}

# Modules that may talk to the operating system; all others get bytes and the time handed in.
SYSTEM_MODULES = {"io", "webrtc", "tools"}
SYSTEM_HEADER = re.compile(
    r"^(sys/.*|netinet/.*|arpa/.*|net/.*|linux/.*|netdb|ifaddrs|poll|unistd|fcntl|signal|time|pthread|threads|"
    r"semaphore|sched|dirent|dlfcn|termios|resolv|uv|uv/.*|libwebsockets|libwebsockets/.*)\.h$"
)
SYSTEM_EXCEPTIONS = {
    ("dtls", "sys/time.h"),  # OpenSSL's interface has timeouts as struct timeval; the structure reads no clock
    # The pipeline runner is not sans-I/O: nodes are the user's code, which gets threads of its own, and comes by dlopen.
    ("runtime", "pthread.h"),
    ("runtime", "dlfcn.h"),
    ("runtime", "time.h"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def module_of(root, path):
    parts = path.relative_to(root).parts
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else None
    return "tools" if parts[0] == "tools" else "include"


def judge(module, path, quote, target):
    """The reason why this include is not allowed, or None."""
    is_test = path.stem.endswith("_test") or path.stem.endswith("_testkit")
    if quote == "<":
        if module in SYSTEM_MODULES or is_test:
            return None
        if SYSTEM_HEADER.match(target) and (module, target) not in SYSTEM_EXCEPTIONS:
            return f"{module} makes no system calls: <{target}> belongs to io"
        return None
    if module == "include":
        return f'an installed header may not include "{target}"'
    if "/" not in target:
        if (path.parent / target).exists():
            return None
        return f'"{target}" is not in this folder; write "module/{target}"'
    other = target.split("/")[0]
    if is_test and other == "support":
        return None
    if other not in ALLOWED or other == "tools":
        return f'"{target}" is in no module of src/'
    if other != module and other not in ALLOWED[module]:
        return f"{module} may not see {other}"
    return None


def check_file(root, path):
    module = module_of(root, path)
    name = path.relative_to(root)
    if module is None or (module != "include" and module not in ALLOWED):
        yield f"{name}:1: {module or 'src'} is not a module named in scripts/check-layers.py"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        reason = match and judge(module, path, match.group(1), match.group(2))
        if reason:
            yield f"{name}:{number}: {reason}"


def check_tree(root):
    files = sorted(p for top in ("src", "tools", "include") for p in (root / top).rglob("*.[ch]"))
    return len(files), [violation for path in files for violation in check_file(root, path)]


def main(argv):
    root = pathlib.Path(argv[1] if len(argv) > 1 else pathlib.Path(__file__).resolve().parent.parent).resolve()
    count, violations = check_tree(root)
    for violation in violations:
        print(violation)
    print(f"check-layers: {count} files, {len(violations)} violations")
    if count == 0:
        print(f"check-layers: no source files under {root}", file=sys.stderr)
    return 1 if violations or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
