// The pictures of people as their provider has them: Synapse's `picture_template`.

import Crypto
import Federation
import Logging
import MatrixCore
import Persistence
import ServerConfiguration

/// Fetches a picture, keeps it as the person's media, and makes it their avatar.
package struct ProviderPictures: Sendable {
    private let database: any Database
    private let serverName: ServerName
    private let uploads: MediaUploads
    private let profiles: ProfileService
    private let http: OutboundHTTP
    private let logger: Logger

    /// How long a login waits for the picture, in seconds.
    private static let patience: Int64 = 5
    /// Bytes.
    private static let byteLimit = 10 << 20

    /// - Parameter outbound: the rules for addresses that others choose: at many providers people say themselves where their picture is.
    init(
        database: any Database, serverName: ServerName, media: MediaRepository, profiles: ProfileService, outbound: OutboundConfiguration,
        logger: Logger
    ) {
        self.database = database
        self.serverName = serverName
        uploads = media.uploads
        self.profiles = profiles
        http = OutboundHTTP(outbound, timeout: Self.patience, bodyLimit: min(Self.byteLimit, media.options.uploadByteLimit))
        self.logger = logger
    }

    /// Makes the picture at an address a user's avatar. One that cannot be had is no reason not to let somebody in.
    func take(_ url: String, for user: UserID) async {
        do {
            let answer = try await http.send(OutboundHTTP.Request(url))
            guard answer.status == 200, let type = answer.header("content-type"), type.lowercased().hasPrefix("image/"),
                !answer.body.isEmpty
            else { throw OutboundFailure.failed("there is no picture") }
            try await set(answer.body, type, of: user)
        } catch {
            // The address may have more in it than who logs in would have others read.
            logger.info("a picture from a provider was not taken over", metadata: ["user": "\(user)"])
        }
    }

    private func set(_ picture: [UInt8], _ type: String, of user: UserID) async throws {
        // By its name the same picture is known again.
        let name = "sso_avatar_" + SHA256.hash(data: picture).hexadecimal
        if let current = try await currentName(of: user), ByteString(current) == ByteString(name) { return }
        let body = ByteQueue()
        body.append(picture)
        body.finish()
        let address = try await uploads.upload(
            MediaUploads.Description(contentType: type, name: name, length: picture.count), body, by: user)
        try await profiles.set(
            ProfileField.avatarURL, to: try JSONDocument(parsing: JSONValue.string(address.string).canonicalBytes).root, of: user,
            by: Requester(user: user, device: nil, isAdmin: true))
    }

    /// What the file of the present avatar is called.
    private func currentName(of user: UserID) async throws -> String? {
        guard let url = try await profiles.nameAndAvatar(of: user).avatarURL, let address = ContentURI(valid: url),
            address.server == serverName
        else { return nil }
        return try await database.read { try MediaStore.local(address.mediaID, on: $0) }?.name
    }
}
