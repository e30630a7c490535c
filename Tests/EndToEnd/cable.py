"""The line between a server and the others, which a test can cut."""

import asyncio
import threading

from ports import free_port


class Cable:
    """Passes on what comes to one port of an address to another, in a thread of its own."""

    def __init__(self, address):
        self.address, self.port, self.inner = address, free_port(address), free_port(address)
        self.open = set()
        self.listener = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.mend()

    def cut(self):
        """Connections break, and new ones are refused."""
        self.run(self.close())

    def mend(self):
        self.run(self.listen())

    def end(self):
        self.cut()
        self.run(self.settle())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def listen(self):
        self.listener = self.listener or await asyncio.start_server(self.serve, self.address, self.port)

    async def close(self):
        if self.listener:
            self.listener.close()
            self.listener = None
        for writer in self.open:
            writer.transport.abort()

    async def settle(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def serve(self, reader, writer):
        self.open.add(writer)
        try:
            inner_reader, inner_writer = await asyncio.open_connection(self.address, self.inner)
            self.open.add(inner_writer)
            try:
                await asyncio.gather(self.pass_on(reader, inner_writer), self.pass_on(inner_reader, writer))
            finally:
                self.open.discard(inner_writer)
                inner_writer.transport.abort()
        except OSError:
            pass
        finally:
            self.open.discard(writer)
            writer.transport.abort()

    @staticmethod
    async def pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
