// Thumbnails: made once for each image, by a bounded number of processes. Client-Server API §Thumbnails.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration

package final class MediaThumbnails: Sendable {
    private let database: any Database
    private let files: MediaFiles
    private let options: MediaConfiguration
    private let process: ThumbnailProcess
    private let threads: BlockingThreads
    private let logger: Logger
    /// What is made of an image at a time; an image of which nothing could be made is not tried again for a while.
    private let standard = SharedFetches<MediaFile, [ThumbnailRow]>(
        atOnce: waitingLimit, memory: .seconds(600), capacity: 1000, isRemembered: \.isEmpty)
    private let single = SharedFetches<Single, [ThumbnailRow]>(
        atOnce: waitingLimit, memory: .seconds(600), capacity: 1000, isRemembered: \.isEmpty)

    private struct Single: Hashable {
        let file: MediaFile
        let job: ThumbnailJob
    }

    /// Processes at once.
    private static let processCount = 2
    private static let waitingLimit = 500
    /// With `dynamic_thumbnails`: of so many sizes of an image, the best is given, and no more are made.
    private static let sizeLimit = 100

    package init(database: any Database, files: MediaFiles, options: MediaConfiguration, logger: Logger) {
        self.database = database
        self.files = files
        self.options = options
        self.logger = logger
        process = ThumbnailProcess(program: ThumbnailProcess.besideThisProgram, pixelLimit: options.pixelLimit)
        threads = BlockingThreads(label: "martlet.thumbnails", count: Self.processCount, limit: Self.waitingLimit)
        if !process.isThere { logger.warning("\(process.program) is missing: there will be no thumbnails") }
    }

    /// Begins to make the usual thumbnails of what has come, if it is an image. Whoever asks for one meanwhile waits for it. While many wait
    /// already, it is done when somebody asks.
    package func prepare(_ media: MediaRow) {
        guard !options.makesAnySize, ThumbnailPlan.contentType(for: media.contentType) != nil, threads.load < Self.processCount * 10 else {
            return
        }
        Task {
            do { _ = try await makeStandard(of: media) } catch {
                logger.warning("thumbnails could not be made", metadata: ["media": "\(media.mediaID)", "error": "\(error)"])
            }
        }
    }

    /// The thumbnail that suits a request best.
    ///
    /// - Throws: 400 where there is none.
    package func thumbnail(of media: MediaRow, for request: ThumbnailRequest) async throws -> ServedMedia {
        let file = MediaFile(media)
        var thumbnails = try await stored(media)
        if options.makesAnySize, thumbnails.count < Self.sizeLimit {
            if let exact = thumbnails.first(where: { ThumbnailJob($0) == request.job }), let served = try await open(exact, of: file) {
                return served
            }
            guard let row = try await make(request.job, of: media).first, let served = try await open(row, of: file) else {
                throw MatrixError.unknown("Failed to generate thumbnail.")
            }
            return served
        }
        if thumbnails.isEmpty { thumbnails = try await makeStandard(of: media) }
        guard !thumbnails.isEmpty else { throw Self.none }
        guard let best = ThumbnailPlan.best(for: request, among: thumbnails) else { throw MatrixError.notFound() }
        if let served = try await open(best, of: file) { return served }
        // Its file has gone.
        guard let job = ThumbnailJob(best), let row = try await make(job, of: media).first, let served = try await open(row, of: file)
        else {
            throw Self.none
        }
        return served
    }

    private static let none = MatrixError.unknown(
        "Cannot find any thumbnails for the requested media: it is not an image of a type that is supported, or it is damaged or too large")

    // MARK: Steps

    private func stored(_ media: MediaRow) async throws -> [ThumbnailRow] {
        try await database.read { try ThumbnailStore.thumbnails(of: media.mediaID, from: media.origin, on: $0) }
    }

    private func open(_ row: ThumbnailRow, of file: MediaFile) async throws -> ServedMedia? {
        guard let path = ThumbnailJob(row).flatMap(file.thumbnailPath), let content = try await files.open(path),
            content.length == row.length
        else { return nil }
        return ServedMedia(contentType: row.contentType, name: nil, content: content)
    }

    private func makeStandard(of media: MediaRow) async throws -> [ThumbnailRow] {
        guard let type = ThumbnailPlan.contentType(for: media.contentType) else { return [] }
        let sizes = options.thumbnailSizes
        return try await standard.value(for: MediaFile(media)) { [self] in
            await made(of: media) { ThumbnailPlan.jobs(for: $0, sizes: sizes, contentType: type) }
        }
    }

    private func make(_ job: ThumbnailJob, of media: MediaRow) async throws -> [ThumbnailRow] {
        // What is no image to its sender is none to us, whatever its bytes are.
        guard ThumbnailPlan.contentType(for: media.contentType) != nil else { return [] }
        return try await single.value(for: Single(file: MediaFile(media), job: job)) { [self] in await made(of: media) { _ in [job] } }
    }

    /// Makes thumbnails and notes them; none where the image is none.
    private func made(
        of media: MediaRow, _ plan: @escaping @Sendable (ImageShape) -> [ThumbnailJob]
    ) async -> Result<[ThumbnailRow], MatrixError> {
        do {
            guard let source = MediaFile(media).path else { return .success([]) }
            let image = files.absolute(source)
            let outcome = await threads.run { [process, files] in
                Result { try process.run(image, plan: plan, output: files.temporaryPath) }
            }
            guard let outcome else { return .failure(.unknown("The server has too much to do", status: 503)) }
            switch try outcome.get() {
            case .refused(let reason):
                logger.info("no thumbnails are made of an image", metadata: ["media": "\(media.mediaID)", "reason": "\(reason)"])
                return .success([])
            case .made(let made): return .success(try await keep(made, of: media))
            }
        } catch {
            logger.error("thumbnails could not be made", metadata: ["media": "\(media.mediaID)", "error": "\(error)"])
            return .failure(.internalError)
        }
    }

    private func keep(_ made: [ThumbnailJob: TemporaryFile], of media: MediaRow) async throws -> [ThumbnailRow] {
        let file = MediaFile(media)
        let rows = try await files.run { [files] in
            try made.compactMap { job, temporary -> ThumbnailRow? in
                guard let path = file.thumbnailPath(job) else { return nil }
                let row = job.row(length: try temporary.length)
                try files.move(temporary, to: path)
                return row
            }
        }
        try await database.write { try ThumbnailStore.insert(rows, of: media.mediaID, from: media.origin, on: $0) }
        return rows
    }
}
