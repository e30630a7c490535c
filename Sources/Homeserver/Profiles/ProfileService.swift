// Profiles. Client-Server API §Profiles.

import MatrixCore
import Persistence
import Rooms

/// Reads and changes profiles; a new name or picture also goes into the user's rooms.
package struct ProfileService: Sendable {
    private let database: any Database
    private let membership: RoomMembership
    private let serverName: ServerName
    private let mayChange: @Sendable (ByteString) -> Bool
    private let remote: RemoteProfiles?

    /// - Parameters:
    ///   - mayChange: whether people may change a field once it is set; administrators may always.
    ///   - remote: the profiles of other servers' users; nil: they have none.
    package init(
        database: any Database, membership: RoomMembership, serverName: ServerName,
        mayChange: @escaping @Sendable (_ field: ByteString) -> Bool = { _ in true }, remote: RemoteProfiles? = nil
    ) {
        self.remote = remote
        self.database = database
        self.membership = membership
        self.serverName = serverName
        self.mayChange = mayChange
    }

    /// The profile of a user of this or another server as a JSON object.
    ///
    /// - Throws: `M_NOT_FOUND` where there is none; what another server refuses; 502 where it cannot be asked.
    package func profile(of user: UserID) async throws -> [UInt8] {
        if let remote, !user.belongs(to: serverName) { return try await remote.profile(of: user).json }
        let fields = try await fields(of: user)
        guard !fields.isEmpty else { throw Self.notFound }
        var writer = JSONWriter()
        writer.object { profile in
            for (field, value) in fields { profile.member(field.string, raw: value) }
        }
        return writer.bytes
    }

    /// One field's value as JSON; nil for a name or picture that the user has not set.
    ///
    /// - Throws: `M_NOT_FOUND` for an unknown user, and for another field that is not set; what another server refuses.
    package func value(of field: ByteString, of user: UserID) async throws -> [UInt8]? {
        let mayBeUnset = field == ProfileField.displayName || field == ProfileField.avatarURL
        guard user.belongs(to: serverName) else {
            guard let remote else { throw Self.notFound }
            if let value = try await remote.profile(of: user).fields[field] { return value.canonicalBytes }
            guard mayBeUnset else { throw Self.notFound }
            return nil
        }
        return try await database.read { connection in
            if let value = try ProfileStore.field(field, of: user, on: connection) { return value }
            guard mayBeUnset, try AccountStore.exists(user, on: connection) else { throw Self.notFound }
            return nil
        }
    }

    /// The display name and avatar URL of a local user, for events that carry them.
    package func nameAndAvatar(of user: UserID) async throws -> (displayName: String?, avatarURL: String?) {
        var texts: [ByteString: String] = [:]
        for (field, value) in try await fields(of: user) where field == ProfileField.displayName || field == ProfileField.avatarURL {
            texts[field] = try JSONDocument(parsing: value).root.string
        }
        return (texts[ProfileField.displayName], texts[ProfileField.avatarURL])
    }

    /// Sets a field for `requester`, or for another local user if they are an administrator.
    ///
    /// - Parameter value: the value as it came from the client.
    /// - Throws: `M_FORBIDDEN`, `M_INVALID_PARAM`, `M_PROFILE_TOO_LARGE`.
    package func set(_ field: ByteString, to value: JSON, of user: UserID, by requester: Requester) async throws {
        let stored = try ProfileField.stored(value, in: field)
        try await change(field, to: stored, of: user, by: requester)
    }

    /// Removes a field.
    package func remove(_ field: ByteString, of user: UserID, by requester: Requester) async throws {
        try await change(field, to: nil, of: user, by: requester)
    }

    // MARK: Steps

    private func fields(of user: UserID) async throws -> [(field: ByteString, value: [UInt8])] {
        guard user.belongs(to: serverName) else { throw Self.notFound }
        return try await database.read { try ProfileStore.profile(of: user, on: $0) }
    }

    private func change(_ field: ByteString, to stored: [UInt8]?, of user: UserID, by requester: Requester) async throws {
        guard user.belongs(to: serverName) else { throw MatrixError.invalidParam("User is not hosted on this homeserver") }
        guard user == requester.user || requester.isAdmin else {
            throw MatrixError.forbidden("Cannot set another user's profile")
        }
        let mustBeUnset = !requester.isAdmin && !mayChange(field)
        let isChanged = try await database.write { connection in
            guard try AccountStore.exists(user, on: connection) else { throw Self.notFound }
            guard try Self.write(field, stored, of: user, mustBeUnset: mustBeUnset, on: connection) else { return false }
            if field == ProfileField.displayName || field == ProfileField.avatarURL {
                try UserDirectoryEntry.refresh(user, on: connection)
            }
            return true
        }
        if isChanged, field == ProfileField.displayName || field == ProfileField.avatarURL {
            let (displayName, avatarURL) = try await nameAndAvatar(of: user)
            try await membership.updateProfile(of: user, displayName: displayName, avatarURL: avatarURL)
        }
    }

    /// Writes or removes a field; false if it had the value already.
    private static func write(
        _ field: ByteString, _ stored: [UInt8]?, of user: UserID, mustBeUnset: Bool, on connection: any SQLConnection
    ) throws -> Bool {
        let profile = try ProfileStore.profile(of: user, on: connection)
        let current = profile.first { $0.field == field }?.value
        if mustBeUnset, current != nil { throw MatrixError.forbidden("Changing \(field) is disabled on this server") }
        guard current != stored else { return false }
        guard let stored else {
            try ProfileStore.delete(field, of: user, on: connection)
            return true
        }
        // Of each member: its name, its value, two quotes, a colon and a comma.
        let others = profile.filter { $0.field != field }.reduce(0) { $0 + $1.field.string.utf8.count + $1.value.count + 4 }
        guard others + field.string.utf8.count + stored.count + 4 < ProfileField.profileLimit else {
            throw MatrixError(status: 400, errcode: "M_PROFILE_TOO_LARGE", message: "The profile would exceed 64 KiB")
        }
        try ProfileStore.set(field, to: stored, of: user, on: connection)
        return true
    }

    private static var notFound: MatrixError { .notFound("Profile was not found") }
}
