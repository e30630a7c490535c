// What other servers tell of their users' devices and keys. Server-Server API §Device Management, §End-to-End Encryption.

import MatrixCore
import Persistence
import Rooms

extension RemoteDeviceLists {
    /// How many changes of a user are known again.
    private static let memory = 20

    /// The list is not any more as it was when the change was looked at.
    private struct Overtaken: Error {}

    /// Takes in the change of a device, or marks the list for fetching where that is not the next change.
    ///
    /// - Throws: where it could not be stored.
    package func receive(_ update: DeviceListUpdate) async throws {
        guard try await sharedRooms.known([update.user]).contains(update.user) else {
            // The user may be in a room of which not all members are known yet: what is being fetched is out of date then.
            noteMissedChange(of: update.user)
            return logger.debug("devices changed of a user with whom no room is shared", metadata: ["user": "\(update.user)"])
        }
        try await changes.run(update.user) {
            let seen = noteArrival(of: update)
            let list = try await database.read { try RemoteDeviceStore.lists(of: [update.user], on: $0).first }
            switch update.decision(list: list, seen: seen) {
            case .isKnown: return
            case .fetch: return try await markStale(update.user)
            case .apply: break
            }
            do {
                try await apply(update, to: list?.streamID ?? "")
                state.withLock { $0.seen.insert(Array((seen + [update.streamID]).suffix(Self.memory)), for: update.user) }
            } catch is Overtaken {
                // It was forgotten meanwhile, with the last common room.
            }
        }
    }

    /// - Returns: the changes of the user that were taken in lately.
    private func noteArrival(of update: DeviceListUpdate) -> [ByteString] {
        state.withLock { state in
            if state.flights[update.user] != nil { state.overtaken.insert(update.user) }
            return state.seen.value(for: update.user) ?? []
        }
    }

    private func noteMissedChange(of user: UserID) {
        state.withLock { state in if state.flights[user] != nil { state.overtaken.insert(user) } }
    }

    private func apply(_ update: DeviceListUpdate, to streamID: ByteString) async throws {
        try await journal.append(
            JournalBatch(
                records: [RemoteUserChange(user: update.user)],
                alongside: { connection in
                    guard try RemoteDeviceStore.advance(update.user, from: streamID, to: update.streamID, on: connection) else {
                        throw Overtaken()
                    }
                    if let keys = update.keys {
                        try RemoteDeviceStore.set(keys, on: connection)
                    } else {
                        try RemoteDeviceStore.delete(update.device, of: update.user, on: connection)
                    }
                }))
    }

    /// Takes in new cross-signing keys of a user.
    ///
    /// - Throws: where they could not be stored.
    package func receive(_ update: SigningKeyUpdate) async throws {
        let user = update.user
        guard try await sharedRooms.known([user]).contains(user) else { return noteMissedChange(of: user) }
        try await changes.run(user) {
            state.withLock { state in if state.flights[user] != nil { state.overtaken.insert(user) } }
            let (list, stored) = try await database.read { connection in
                (
                    try RemoteDeviceStore.lists(of: [user], on: connection).first, try CrossSigningStore.keys(of: [user], on: connection)
                )
            }
            // Who is not followed is asked for by those who want to know; what is stale is fetched whole.
            guard let list, !list.isStale else { return try await markStale(user) }
            let known = stored.first { $0.usage == .master }.flatMap { CrossSigningKey($0) }
            let keys = RemoteCrossSigningKeys(of: user, master: update.master, selfSigning: update.selfSigning, known: known).rows
            let new = keys.filter { !stored.contains($0) }
            guard !new.isEmpty else { return }
            do {
                try await journal.append(
                    JournalBatch(
                        records: [RemoteUserChange(user: user)],
                        alongside: { connection in
                            guard try !RemoteDeviceStore.lists(of: [user], on: connection).isEmpty else { throw Overtaken() }
                            try Self.write(new, replacing: stored, on: connection)
                        }))
            } catch is Overtaken {
                // It was forgotten meanwhile, with the last common room.
            }
        }
    }

    /// A user sends in the name of these devices: where one of them is not known, changes were missed.
    func noteDevices(_ devices: [DeviceID], of user: UserID) async throws {
        guard !devices.isEmpty else { return }
        let isMissing = try await database.read { connection in
            guard let list = try RemoteDeviceStore.lists(of: [user], on: connection).first, !list.isStale else { return false }
            return try !RemoteDeviceStore.knows(devices, of: user, on: connection)
        }
        guard isMissing else { return }
        try await changes.run(user) { try await markStale(user) }
    }
}

/// m.signing_key_update: a user's cross-signing keys. Which of them are right, `RemoteCrossSigningKeys` decides.
package struct SigningKeyUpdate: Sendable {
    package let user: UserID
    package let master: JSON?
    package let selfSigning: JSON?

    /// - Throws: `MalformedEDU`.
    package init(_ content: JSON) throws(MalformedEDU) {
        guard let user = content["user_id"]?.string.flatMap({ UserID(valid: $0) }) else { throw MalformedEDU("user_id") }
        self.user = user
        master = content["master_key"]
        selfSigning = content["self_signing_key"]
    }
}
