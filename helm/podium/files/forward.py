"""Forwards connections of this pod's own loopback: forward.py PORT HOST:PORT. For a registry that nodes call localhost:PORT."""

import asyncio
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, _, port = sys.argv[2].rpartition(":")
    try:
        there, back = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:
        print(f"cannot connect to {sys.argv[2]}: {error}", file=sys.stderr, flush=True)
        writer.close()
        return
    await asyncio.gather(pump(reader, back), pump(there, writer))
    for side in (writer, back):
        side.close()


async def main() -> None:
    server = await asyncio.start_server(carry, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


asyncio.run(main())
