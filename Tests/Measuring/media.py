"""Scenarios about media: files as clients send and show them."""

import io
import secrets
from functools import cache

from PIL import Image

from homeserver import parsed

UPLOAD = "/_matrix/media/v3/upload"
MEDIA = "/_matrix/client/v1/media"
MEGABYTE = 1_000_000
# Clients ask for it when they show a timeline, and both servers make it when an image comes.
SHOWN = "width=640&height=480&method=scale"


@cache
def photo():
    """A JPEG of some hundred kilobytes, with areas and edges as a photo has them."""
    coarse = Image.frombytes("RGB", (80, 60), secrets.token_bytes(3 * 80 * 60)).resize((2000, 1500), Image.Resampling.BICUBIC)
    fine = Image.frombytes("RGB", (1000, 750), secrets.token_bytes(3 * 1000 * 750)).resize((2000, 1500), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    Image.blend(coarse, fine, 0.1).save(file, "JPEG", quality=85)
    return file.getvalue()


class MediaScenarios:
    async def upload(self, client, content, type):
        """-> server and media ID, as they stand in paths."""
        status, _, body = await client.raw("POST", UPLOAD, data=content, headers={"Content-Type": type}, checked=False)
        assert status == 200, body
        return parsed(body)["content_uri"][6:]

    async def get(self, client, path, length=None):
        status, _, body = await client.raw("GET", path, checked=False)
        assert status == 200 and body and length in (None, len(body)), status

    # An upload of a file of a megabyte, such as an encrypted one

    async def uploads(self):
        [owner] = await self.server.people(1, "uploads")
        files = [secrets.token_bytes(MEGABYTE) for _ in range(21)]
        cost = await self.each(20, lambda number: self.upload(owner, files[number], "application/octet-stream"))
        await owner.close()
        return cost

    # An upload of a photo, with the thumbnails that are made of it

    async def photos(self):
        [owner] = await self.server.people(1, "photos")

        async def share(number):
            # No two files are the same.
            media = await self.upload(owner, photo() + number.to_bytes(4, "big"), "image/jpeg")
            await self.get(owner, f"{MEDIA}/thumbnail/{media}?{SHOWN}")
        cost = await self.each(10, share)
        await owner.close()
        return cost

    # A download of a file of a megabyte

    async def downloads(self):
        [owner] = await self.server.people(1, "downloads")
        media = await self.upload(owner, secrets.token_bytes(MEGABYTE), "application/octet-stream")
        cost = await self.each(100, lambda _: self.get(owner, f"{MEDIA}/download/{media}", MEGABYTE))
        await owner.close()
        return cost

    # A thumbnail that is there

    async def thumbnails(self):
        [owner] = await self.server.people(1, "thumbnails")
        media = await self.upload(owner, photo(), "image/jpeg")
        cost = await self.each(200, lambda _: self.get(owner, f"{MEDIA}/thumbnail/{media}?{SHOWN}"))
        await owner.close()
        return cost
