// Names and places of media, and the choice of thumbnails.

import Homeserver
import MatrixCore
import Persistence
import ServerConfiguration
import Testing

@Suite struct MediaPathTests {
    private let job = ThumbnailJob(width: 96, height: 32, method: .crop, contentType: "image/png")

    @Test("files lie where Synapse has them")
    func layout() {
        let local = MediaFile.local("AbCdefGH")
        #expect(local.path == "local_content/Ab/Cd/efGH")
        #expect(local.thumbnailPath(job) == "local_thumbnails/Ab/Cd/efGH/96-32-image-png-crop")
        let remote = MediaFile.remote(ServerName(trusted: "[::1]:8448"), "AbCdefGH")
        #expect(remote.path == "remote_content/[::1]:8448/Ab/Cd/efGH")
        #expect(remote.thumbnailPath(job) == "remote_thumbnail/[::1]:8448/Ab/Cd/efGH/96-32-image-png-crop")
    }

    @Test(
        "no ID leads out of the store",
        arguments: [
            "", "abcd", "../../x", "ab/cd/ef", "ab..", "....", ".....", "abcd..", "..cdefgh", "ab..efgh", "abcd\0efg", "abcd efg",
            "äbcdefg",
        ])
    func escapes(id: String) {
        #expect(MediaFile.local(id).path == nil || !(MediaFile.local(id).path ?? "").split(separator: "/").contains(".."))
        let odd = ["", "abcd", "../../x", "ab/cd/ef", "abcd..", "..cdefgh", "ab..efgh", "abcd\0efg", "abcd efg", "äbcdefg"]
        if odd.contains(id) { #expect(MediaFile.local(id).path == nil && MediaFile.local(id).thumbnailFolder == nil) }
    }

    @Test("no server and no type of a thumbnail leads out of the store", arguments: ["..", ".", "a/b", "", "a\0"])
    func servers(name: String) {
        #expect(MediaFile.remote(ServerName(trusted: name), "AbCdefGH").path == nil)
        var odd = job
        odd.contentType = "image/\(name)/x"
        #expect(MediaFile.local("AbCdefGH").thumbnailPath(odd) == nil)
    }
}

@Suite struct ContentDispositionTests {
    @Test(
        "only what runs no scripts is shown by browsers",
        arguments: [
            ("image/png", "inline"), ("IMAGE/PNG; a=b", "inline"), ("text/plain;charset=utf-8", "inline"), ("image/svg+xml", "attachment"),
            ("text/html", "attachment"), ("application/pdf", "attachment"), ("", "attachment"), ("image/png,text/html", "attachment"),
        ])
    func inline(type: String, expected: String) {
        #expect(ContentDisposition.header(contentType: type, name: nil) == expected)
    }

    @Test("a name is a token, or encoded")
    func names() {
        #expect(ContentDisposition.header(contentType: "image/png", name: "a-b.png") == "inline; filename=a-b.png")
        #expect(ContentDisposition.header(contentType: "image/png", name: "ä \"b\"") == "inline; filename*=utf-8''%C3%A4%20%22b%22")
        #expect(ContentDisposition.header(contentType: "x/y", name: "a;b\r\nX: y") == "attachment; filename*=utf-8''a%3Bb%0D%0AX%3A%20y")
    }

    @Test(
        "the name of another server's file",
        arguments: [
            ("inline; filename=a.png", "a.png"), ("attachment; filename=\"a b.png\"", "a b.png"),
            ("inline; filename=x; filename*=utf-8''%C3%A4.png", "ä.png"), ("inline; filename*=UTF-8''%FF; filename=y", "y"),
            ("inline", nil), ("inline; filename=", nil), ("inline; filename*=utf-8''a%00b", nil), ("inline; filename=ä", nil),
        ] as [(String, String?)])
    func parsing(header: String, expected: String?) {
        #expect(ContentDisposition.name(in: header) == expected)
    }

    @Test("texts say that they are UTF-8, unless they say something else")
    func charset() {
        #expect(ContentDisposition.contentType("text/plain") == "text/plain; charset=UTF-8")
        #expect(ContentDisposition.contentType("text/plain; charset=latin1") == "text/plain; charset=latin1")
        #expect(ContentDisposition.contentType("image/png") == "image/png")
        #expect(ContentDisposition.acceptable(contentType: nil) == "application/octet-stream")
        #expect(ContentDisposition.acceptable(contentType: String(repeating: "x", count: 256)) == "application/octet-stream")
        #expect(ContentDisposition.acceptable(contentType: "a\r\nb") == "application/octet-stream")
    }
}

@Suite struct ThumbnailPlanTests {
    private func job(_ width: Int, _ height: Int, _ method: ThumbnailMethod, _ type: String = "image/png") -> ThumbnailJob {
        ThumbnailJob(width: width, height: height, method: method, contentType: type)
    }

    private func row(_ width: Int, _ height: Int, _ method: String, _ type: String = "image/png", _ length: Int = 1) -> ThumbnailRow {
        ThumbnailRow(width: width, height: height, method: method, contentType: type, length: length)
    }

    @Test("a large image has all sizes, scaled in its proportions")
    func large() {
        let jobs = ThumbnailPlan.jobs(for: ImageShape(width: 2000, height: 1000), sizes: ThumbnailSize.standard, contentType: "image/png")
        #expect(jobs == [job(32, 32, .crop), job(96, 96, .crop), job(320, 160, .scale), job(640, 320, .scale), job(800, 400, .scale)])
    }

    @Test("a small image is not made larger, and each size is made once")
    func small() {
        let jobs = ThumbnailPlan.jobs(for: ImageShape(width: 50, height: 20), sizes: ThumbnailSize.standard, contentType: "image/png")
        #expect(jobs == [job(32, 32, .crop), job(96, 96, .crop), job(50, 20, .scale)])
        let icon = ThumbnailPlan.jobs(for: ImageShape(width: 32, height: 32), sizes: ThumbnailSize.standard, contentType: "image/png")
        #expect(icon == [job(32, 32, .scale), job(96, 96, .crop)])
        #expect(ImageShape(width: 100_000, height: 1).fitted(into: 32, 32) == (32, 1))
    }

    @Test("what is drawn has the image's proportions, whether a frame or its own size names it")
    func drawn() {
        let image = ImageShape(width: 1000, height: 333)
        #expect(image.drawnSize(of: job(320, 106, .scale)) == (320, 106) && image.drawnSize(of: job(200, 200, .scale)) == (200, 66))
        #expect(image.drawnSize(of: job(5000, 5000, .scale)) == (1000, 333) && image.drawnSize(of: job(90, 90, .crop)) == (90, 90))
    }

    @Test("of an image that moves there are thumbnails that move")
    func animated() {
        let image = ImageShape(width: 400, height: 300, isAnimated: true)
        let jobs = ThumbnailPlan.jobs(for: image, sizes: [ThumbnailSize(96, 96, .crop)], contentType: "image/png")
        #expect(jobs == [job(96, 96, .crop), job(96, 96, .crop, "image/webp")])
    }

    @Test("thumbnails are made of images alone")
    func types() {
        #expect(
            ThumbnailPlan.contentType(for: "image/JPEG; x=y") == "image/jpeg" && ThumbnailPlan.contentType(for: "image/gif") == "image/png")
        #expect(ThumbnailPlan.contentType(for: "image/svg+xml") == nil && ThumbnailPlan.contentType(for: nil) == nil)
    }

    @Test("the smallest that is large enough is given, or else the largest")
    func choice() {
        let rows = [row(32, 32, "crop"), row(96, 96, "crop"), row(320, 160, "scale"), row(640, 320, "scale"), row(800, 400, "scale")]
        func best(_ width: Int64, _ height: Int64, _ method: ThumbnailMethod) -> ThumbnailRow? {
            ThumbnailPlan.best(for: ThumbnailRequest(width: width, height: height, method: method), among: rows)
        }
        #expect(best(32, 32, .crop)?.width == 32 && best(40, 40, .crop)?.width == 96 && best(500, 500, .crop)?.width == 96)
        #expect(best(320, 240, .scale)?.width == 320 && best(330, 240, .scale)?.width == 640 && best(5000, 5000, .scale)?.width == 800)
        #expect(ThumbnailPlan.best(for: ThumbnailRequest(width: 1, height: 1, method: .crop), among: [row(9, 9, "scale")]) == nil)
    }

    @Test("who asks for a still picture gets none that moves, and who asks for one that moves gets it where there is one")
    func movement() {
        let rows = [row(96, 96, "crop", "image/webp", 1), row(96, 96, "crop", "image/jpeg", 500)]
        let still = ThumbnailRequest(width: 96, height: 96, method: .crop)
        var moving = still
        moving.isAnimated = true
        #expect(ThumbnailPlan.best(for: still, among: rows)?.contentType == "image/jpeg")
        #expect(ThumbnailPlan.best(for: moving, among: rows)?.contentType == "image/webp")
        #expect(ThumbnailPlan.best(for: moving, among: [rows[1]])?.contentType == "image/jpeg")
    }
}
