// How fetched lists are stored, and what is noted of those that could not be fetched.

import Federation
import MatrixCore
import Persistence
import Rooms

extension RemoteDeviceLists {
    /// What is stored of one user.
    private struct Stored {
        let list: RemoteDeviceListRow?
        let devices: [DeviceKeysRow]
        let crossSigningKeys: [CrossSigningKeyRow]

        func isSame(as keys: RemoteUserKeys) -> Bool {
            devices == keys.devices && Set(crossSigningKeys) == Set(keys.crossSigningKeys)
        }
    }

    private func stored(of user: UserID) async throws -> Stored {
        try await database.read { connection in
            Stored(
                list: try RemoteDeviceStore.lists(of: [user], on: connection).first,
                devices: try RemoteDeviceStore.devices(of: [user], on: connection),
                crossSigningKeys: try CrossSigningStore.keys(of: [user], on: connection))
        }
    }

    /// Stores a list that was fetched, and tells who can see the user where it is not what was stored.
    ///
    /// It counts only if a room was shared from before it was asked for until now: else changes may have been missed, and it is asked for
    /// again. The Journal writes it, so that no membership changes between that check and the storing; those that change later are told to
    /// `RemoteDeviceTracking`, which forgets it then.
    ///
    /// - Parameters:
    ///   - keys: nil where the user's server does not know the user.
    ///   - position: the end of the stream when the server was asked.
    func keep(_ keys: RemoteUserKeys?, of user: UserID, fetchedAt position: StreamPosition) async throws {
        guard let keys, keys.isKeepable else { return try await noteFailure(.malformed("too many devices, or none at all"), of: user) }
        try await changes.run(user) {
            let stored = try await stored(of: user)
            let isOvertaken = state.withLock { $0.overtaken.contains(user) }
            let list = RemoteDeviceListRow(
                user: user, streamID: keys.streamID, position: position, isStale: isOvertaken, retryAt: .now)
            let after = StreamPosition(position.value + 1)
            let isNew = !stored.isSame(as: keys)
            // Of those who are asked for with many others, nobody had heard before: their askers have the answer.
            let isNews = isNew && !(stored.list == nil && keys.streamID.isEmpty)
            try await journal.append(
                JournalBatch(
                    records: isNews ? [RemoteUserChange(user: user)] : [],
                    alongside: { connection in
                        guard try !SharedRoomStore.known([user], sinceBefore: after, on: connection).isEmpty else {
                            let isKnown = try !SharedRoomStore.known([user], on: connection).isEmpty
                            return isKnown
                                ? try RemoteDeviceStore.set(list.asStale, on: connection)
                                : try RemoteDeviceStore.forget([user], on: connection)
                        }
                        try RemoteDeviceStore.set(list, on: connection)
                        if isNew { try Self.write(keys, replacing: stored.crossSigningKeys, on: connection) }
                    }))
            state.withLock { $0.seen.remove(user) }
            let outcome = try await database.read { try RemoteDeviceStore.lists(of: [user], on: $0) }.first
            if outcome?.isStale == true { resync(user.server) }
        }
    }

    private static func write(
        _ keys: RemoteUserKeys, replacing old: [CrossSigningKeyRow], on connection: any SQLConnection
    ) throws {
        try RemoteDeviceStore.deleteDevices(of: keys.user, on: connection)
        for device in keys.devices { try RemoteDeviceStore.set(device, on: connection) }
        let usages = Set(keys.crossSigningKeys.map(\.usage))
        try CrossSigningStore.delete(CrossSigningUsage.allCases.filter { !usages.contains($0) }, of: keys.user, on: connection)
        try write(keys.crossSigningKeys, replacing: old, on: connection)
    }

    /// Writes cross-signing keys. What others have signed of an earlier master key is worth nothing any more.
    static func write(_ keys: [CrossSigningKeyRow], replacing old: [CrossSigningKeyRow], on connection: any SQLConnection) throws {
        for key in keys {
            if key.usage == .master, let before = old.first(where: { $0.usage == .master }), before.publicKey != key.publicKey {
                try CrossSigningStore.deleteSignatures(of: key.user, on: connection)
            }
            try CrossSigningStore.set(key, on: connection)
        }
    }

    // MARK: Failures

    /// The list was not fetched: it is stale until it is. A server that does not answer is left alone by the rules for all requests to it; a
    /// list that cannot be had from one that does is asked for less and less often.
    func noteFailure(_ failure: FederationFailure, of user: UserID) async throws {
        try await changes.run(user) {
            try await database.write { connection in
                if case .notAllowed = failure { return try RemoteDeviceStore.forget([user], on: connection) }
                let list = try RemoteDeviceStore.lists(of: [user], on: connection).first
                let failures = (list?.failures ?? 0) + (failure.isOfTheList ? 1 : 0)
                try RemoteDeviceStore.set(
                    RemoteDeviceListRow(
                        user: user, streamID: list?.streamID ?? "", position: list?.position ?? .zero, isStale: true, failures: failures,
                        retryAt: Timestamp.now.advanced(byMilliseconds: ListBackoff.pause(afterFailures: failures))),
                    on: connection)
            }
        }
    }

    /// Changes of the user's list were missed: it is fetched as soon as may be.
    func markStale(_ user: UserID) async throws {
        let isDue = try await database.write { connection in
            let list = try RemoteDeviceStore.lists(of: [user], on: connection).first
            if let list, list.isStale { return list.retryAt <= .now }
            try RemoteDeviceStore.set(
                RemoteDeviceListRow(
                    user: user, streamID: list?.streamID ?? "", position: list?.position ?? .zero, isStale: true, retryAt: .now),
                on: connection)
            return true
        }
        if isDue { resync(user.server) }
    }
}

extension RemoteDeviceListRow {
    fileprivate var asStale: RemoteDeviceListRow {
        RemoteDeviceListRow(user: user, streamID: streamID, position: position, isStale: true, retryAt: retryAt)
    }
}

/// How long to wait before a list is asked for again.
enum ListBackoff {
    private static let shortest: Int64 = 30_000
    private static let longest: Int64 = 6 * 3_600_000

    /// Milliseconds.
    static func pause(afterFailures failures: Int64) -> Int64 {
        min(longest, shortest << min(max(0, failures - 1), 16))
    }
}

extension FederationFailure {
    /// Whether the server answers, and it is this list that it does not give.
    fileprivate var isOfTheList: Bool {
        switch self {
        case .answered(let error): error.status < 500 && error.status != 429
        case .malformed, .tooLarge: true
        case .notAllowed, .paused, .unreachable: false
        }
    }
}
