// When media were looked at, and the end of those that nobody looks at: `media_retention`, as Synapse does it.

import Logging
import MatrixCore
import Persistence
import ServerConfiguration
import ServiceLifecycle
import Synchronization

package final class MediaUpkeep: Service {
    private struct Seen {
        var local: Set<String> = []
        var remote: [ServerName: Set<String>] = [:]
    }

    private let serverName: ServerName
    private let database: any Database
    private let files: MediaFiles
    private let options: MediaConfiguration
    private let logger: Logger
    private let seen = Mutex(Seen())
    private let storing = Chore(after: .seconds(60))
    private let alarm = Alarm()

    /// Milliseconds between two looks at what is old.
    private static let interval: Int64 = 3_600_000
    private static let pageLimit = 100

    package init(serverName: ServerName, database: any Database, files: MediaFiles, options: MediaConfiguration, logger: Logger) {
        self.serverName = serverName
        self.database = database
        self.files = files
        self.options = options
        self.logger = logger
    }

    /// Somebody looks at it.
    func noteAccess(_ media: MediaRow) {
        seen.withLock { seen in
            if let origin = media.origin {
                _ = seen.remote[origin, default: []].insert(media.mediaID)
            } else {
                _ = seen.local.insert(media.mediaID)
            }
        }
        storing.isNeeded()
    }

    /// Works until the server stops.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.storing.run { await self.storeAccesses() } }
            group.addTask {
                guard self.options.localLifetime != nil || self.options.remoteLifetime != nil else { return }
                await self.alarm.run {
                    try await self.deleteOld(at: .now)
                    return Timestamp.now.advanced(byMilliseconds: Self.interval)
                } onFailure: {
                    self.logger.warning("old media could not be deleted, will try again", metadata: ["error": "\($0)"])
                }
            }
        }
        await storeAccesses()
    }

    private func storeAccesses() async {
        let noted = seen.withLock { seen in
            defer { seen = Seen() }
            return seen
        }
        guard !noted.local.isEmpty || !noted.remote.isEmpty else { return }
        do {
            try await database.write { try MediaStore.touch(local: noted.local, remote: noted.remote, at: .now, on: $0) }
        } catch {
            logger.warning("it could not be stored when media were looked at", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Retention

    /// Deletes what nobody has looked at for as long as the operator keeps it.
    package func deleteOld(at now: Timestamp) async throws {
        await storeAccesses()
        if let lifetime = options.remoteLifetime { try await deleteRemote(before: now.advanced(byMilliseconds: -lifetime.milliseconds)) }
        if let lifetime = options.localLifetime { try await deleteLocal(before: now.advanced(byMilliseconds: -lifetime.milliseconds)) }
    }

    private func deleteRemote(before limit: Timestamp) async throws {
        while !Task.isCancelled {
            let page = try await database.read { try MediaRetentionStore.oldRemote(before: limit, count: Self.pageLimit, on: $0) }
            for (origin, mediaID, fileID) in page {
                try await database.write { try MediaRetentionStore.deleteRemote(mediaID, of: origin, on: $0) }
                try await removeFiles(of: .remote(origin, fileID))
            }
            guard !page.isEmpty else { return }
            logger.info("old media of other servers were deleted", metadata: ["count": "\(page.count)"])
        }
    }

    /// Pictures of people and rooms stay.
    private func deleteLocal(before limit: Timestamp) async throws {
        var last = ""
        while !Task.isCancelled {
            let after = last
            let page = try await database.read {
                try MediaRetentionStore.oldLocal(before: limit, after: after, count: Self.pageLimit, on: $0)
            }
            for mediaID in page {
                let uri = ContentURI(server: serverName, mediaID: mediaID)
                let isDeleted = try await database.write { connection in
                    guard try !MediaRetentionStore.isAvatar(uri, on: connection) else { return false }
                    try MediaRetentionStore.deleteLocal(mediaID, on: connection)
                    return true
                }
                if isDeleted { try await removeFiles(of: .local(mediaID)) }
            }
            guard let end = page.last else { return }
            last = end
        }
    }

    private func removeFiles(of file: MediaFile) async throws {
        if let folder = file.thumbnailFolder { try await files.remove(folder) }
        if let path = file.path { try await files.remove(path) }
    }
}
