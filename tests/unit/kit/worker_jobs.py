"""Jobs that behave well and badly, for the tests of the pool."""

import os
import resource
import socket
import sys
import time


def do(argument: bytes) -> bytes:
    verb, _, rest = argument.partition(b" ")
    match verb:
        case b"echo":
            return rest
        case b"pid":
            return str(os.getpid()).encode()
        case b"environ":
            return " ".join(sorted(os.environ)).encode()
        case b"sleep":
            time.sleep(float(rest))
        case b"spin":
            while True:
                pass
        case b"eat":
            return str(len(bytearray(int(rest)))).encode()
        case b"die":
            os.kill(os.getpid(), int(rest))
        case b"raise":
            raise ValueError(rest.decode())
        case b"print":
            print("noise on stdout")
            return b"quiet"
        case b"connect":
            try:
                socket.create_connection(("127.0.0.1", int(rest)), timeout=1).close()
            except OSError as refused:
                return type(refused).__name__.encode()
            return b"connected"
        case b"write":
            try:
                with open(rest.decode(), "wb") as file:
                    file.write(b"x" * 100)
            except OSError as refused:
                return type(refused).__name__.encode()
            return b"written"
        case b"core":
            return str(resource.getrlimit(resource.RLIMIT_CORE)).encode()
        case b"bytecode":
            return str(sys.dont_write_bytecode).encode()
    return b"done"
