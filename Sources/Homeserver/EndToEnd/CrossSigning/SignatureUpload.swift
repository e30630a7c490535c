// The body of POST /keys/signatures/upload. Client-Server API §Cross-signing.

import MatrixCore

/// Signed keys: of the user's own devices, of the own master key, and of other users' master keys.
package struct SignatureUpload: Sendable {
    /// One signed object, and the key that it stands for: a device ID, or the public key of a master key.
    package struct Item: Sendable {
        package let name: ByteString
        package let object: JSON
    }

    /// The items of each user, as named in the request; in order, each name once.
    package let users: [(name: ByteString, items: [Item])]

    /// - Throws: `M_INVALID_PARAM` for what is not a map of maps of objects.
    package init(_ body: JSON) throws(MatrixError) {
        // Of a name that is written twice, the last one counts.
        var users: [ByteString: [ByteString: JSON]] = [:]
        for (user, keys) in body.members {
            guard keys.isObject else { throw .invalidParam("Invalid parameter: \(user) must be an object") }
            var items: [ByteString: JSON] = [:]
            for (name, object) in keys.members {
                guard object.isObject else { throw .invalidParam("Invalid parameter: \(name) of \(user) must be an object") }
                items[name] = object
            }
            users[user] = items
        }
        self.users = users.sorted { $0.key < $1.key }.map { user, items in
            (user, items.sorted { $0.key < $1.key }.map { Item(name: $0.key, object: $0.value) })
        }
    }

    /// The other users whose keys are signed.
    func others(than user: UserID) -> [UserID] {
        users.compactMap { name, _ in
            guard name != user.text, let other = try? UserID(parsing: name.string) else { return nil }
            return other
        }
    }
}

/// Knows the master keys of users of other servers.
package protocol RemoteMasterKeys: Sendable {
    /// Those of these users of other servers who have one, as far as their servers say. Users of this server are passed over.
    func masterKeys(of users: [UserID]) async throws -> [UserID: CrossSigningKey]
}

/// Why the signature of one key was not taken.
package struct RefusedSignature: Sendable {
    package let user: ByteString
    package let key: ByteString
    package let error: MatrixError
}
