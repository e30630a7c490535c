// Where the files of media lie: as Synapse lays them out, so that its store can be taken over.

import MatrixCore
import Persistence

/// The content of a medium, as a file.
package enum MediaFile: Sendable, Hashable {
    case local(String)
    /// By the ID that this server has given its copy.
    case remote(ServerName, String)

    package init(_ media: MediaRow) {
        self = media.origin.map { .remote($0, media.fileID) } ?? .local(media.fileID)
    }

    /// Below the media store: `local_content/aa/bb/cc…`; nil where a part cannot be the name of a file.
    package var path: String? {
        switch self {
        case .local(let id): MediaPath.join(["local_content"], id)
        case .remote(let server, let id): MediaPath.join(["remote_content", server.string], id)
        }
    }

    /// The folder of its thumbnails.
    package var thumbnailFolder: String? {
        switch self {
        case .local(let id): MediaPath.join(["local_thumbnails"], id)
        case .remote(let server, let id): MediaPath.join(["remote_thumbnail", server.string], id)
        }
    }

    package func thumbnailPath(_ thumbnail: ThumbnailJob) -> String? {
        let types = thumbnail.contentType.split(separator: "/", omittingEmptySubsequences: false)
        guard let folder = thumbnailFolder, types.count == 2 else { return nil }
        let name = "\(thumbnail.width)-\(thumbnail.height)-\(types[0])-\(types[1])-\(thumbnail.method)"
        return MediaPath.isComponent(name) ? "\(folder)/\(name)" : nil
    }
}

enum MediaPath {
    /// What a name in the store may be: a part of an ID, a server with its port. It never leads elsewhere.
    static func isComponent(_ name: some StringProtocol) -> Bool {
        guard (1...255).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "_-.[]:".utf8.contains($0) }
    }

    /// The folders, then the ID in three parts.
    static func join(_ folders: [String], _ id: String) -> String? {
        guard id.utf8.count > 4, isComponent(id) else { return nil }
        let parts = folders + [String(id.prefix(2)), String(id.dropFirst(2).prefix(2)), String(id.dropFirst(4))]
        return parts.allSatisfy { isComponent($0) } ? parts.joined(separator: "/") : nil
    }
}
