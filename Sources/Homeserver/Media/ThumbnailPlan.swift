// Which thumbnails are made, and which one is given. Client-Server API §Thumbnails; sizes and choice are Synapse's.

import MatrixCore
import Persistence
import ServerConfiguration

/// An image as its decoder describes it.
package struct ImageShape: Sendable, Equatable {
    package var width: Int
    package var height: Int
    package var isAnimated: Bool

    package init(width: Int, height: Int, isAnimated: Bool = false) {
        self.width = width
        self.height = height
        self.isAnimated = isAnimated
    }

    /// The largest size of the same proportions in a frame; never larger than the image.
    package func fitted(into width: Int, _ height: Int) -> (width: Int, height: Int) {
        guard self.width > 0, self.height > 0 else { return (1, 1) }
        let (fitWidth, fitHeight) =
            width * self.height < height * self.width
            ? (width, max(width * self.height / self.width, 1)) : (max(height * self.width / self.height, 1), height)
        return (min(self.width, fitWidth), min(self.height, fitHeight))
    }

    /// The size in which a thumbnail is drawn. A scaled one is named by a frame, or already by the size that fits into one.
    package func drawnSize(of job: ThumbnailJob) -> (width: Int, height: Int) {
        let isInProportion = job.height == max(job.width * height / width, 1) || job.width == max(job.height * width / height, 1)
        return job.method == .crop || isInProportion ? (job.width, job.height) : fitted(into: job.width, job.height)
    }
}

/// A thumbnail that is to be made, by what names its file.
package struct ThumbnailJob: Sendable, Hashable {
    package var width: Int
    package var height: Int
    package var method: ThumbnailMethod
    package var contentType: String

    package init(width: Int, height: Int, method: ThumbnailMethod, contentType: String) {
        self.width = width
        self.height = height
        self.method = method
        self.contentType = contentType
    }

    /// nil for a row that names no method of ours.
    package init?(_ row: ThumbnailRow) {
        guard let method = ThumbnailMethod(rawValue: row.method) else { return nil }
        self.init(width: row.width, height: row.height, method: method, contentType: row.contentType)
    }

    package func row(length: Int) -> ThumbnailRow {
        ThumbnailRow(width: width, height: height, method: method.rawValue, contentType: contentType, length: length)
    }
}

/// What somebody asks for.
package struct ThumbnailRequest: Sendable, Hashable {
    package var width: Int
    package var height: Int
    package var method: ThumbnailMethod
    package var isAnimated: Bool

    /// - Parameters: sizes beyond what is made are brought to it.
    package init(width: Int64, height: Int64, method: ThumbnailMethod = .scale, isAnimated: Bool = false) {
        self.width = Int(min(max(1, width), Int64(ThumbnailSize.sideLimit)))
        self.height = Int(min(max(1, height), Int64(ThumbnailSize.sideLimit)))
        self.method = method
        self.isAnimated = isAnimated
    }

    var contentType: String { isAnimated ? ThumbnailPlan.animatedType : "image/png" }

    var job: ThumbnailJob { ThumbnailJob(width: width, height: height, method: method, contentType: contentType) }
}

package enum ThumbnailPlan {
    /// Thumbnails that move; no others are of this type.
    package static let animatedType = "image/webp"

    /// The types of images of which thumbnails are made, with theirs.
    private static let types = [
        "image/jpeg": "image/jpeg", "image/jpg": "image/jpeg", "image/webp": "image/jpeg", "image/avif": "image/jpeg",
        "image/heic": "image/jpeg", "image/heif": "image/jpeg", "image/gif": "image/png", "image/png": "image/png",
    ]

    /// The type of an image's thumbnails; nil where none are made.
    package static func contentType(for image: String?) -> String? {
        image.flatMap { types[ContentDisposition.essence(of: $0)] }
    }

    /// The thumbnails of an image; of a scaled and a cropped one of the same size, the scaled one.
    package static func jobs(for image: ImageShape, sizes: [ThumbnailSize], contentType: String) -> [ThumbnailJob] {
        var jobs: [ThumbnailJob] = []
        for size in sizes {
            var job = ThumbnailJob(width: size.width, height: size.height, method: size.method, contentType: contentType)
            if size.method == .scale { (job.width, job.height) = image.fitted(into: size.width, size.height) }
            guard let same = jobs.firstIndex(where: { $0.width == job.width && $0.height == job.height }) else {
                jobs.append(job)
                continue
            }
            if size.method == .scale { jobs[same] = job }
        }
        guard image.isAnimated else { return jobs }
        return jobs + jobs.map { ThumbnailJob(width: $0.width, height: $0.height, method: $0.method, contentType: animatedType) }
    }

    /// The thumbnail that suits best: one that is large enough before one that is not.
    package static func best(for request: ThumbnailRequest, among thumbnails: [ThumbnailRow]) -> ThumbnailRow? {
        let candidates = thumbnails.filter { $0.method == request.method.rawValue }
        let large = candidates.filter { $0.width >= request.width || $0.height >= request.height }
        return (large.isEmpty ? candidates : large).min { rank($0, for: request).lexicographicallyPrecedes(rank($1, for: request)) }
    }

    /// What is smaller is better, the first first.
    private static func rank(_ row: ThumbnailRow, for request: ThumbnailRequest) -> [Int] {
        let size = abs((request.width - row.width) * (request.height - row.height))
        // Nobody who asks for a still picture gets one that moves, where there is another.
        let type = row.contentType == request.contentType ? 0 : row.contentType == animatedType ? 2 : 1
        guard request.method == .crop else { return [size, type, row.length] }
        let aspect = abs(request.width * row.height - request.height * row.width)
        let isSmall = request.width <= row.width && request.height <= row.height ? 0 : 1
        return [aspect, isSmall, size, type, row.length]
    }
}
