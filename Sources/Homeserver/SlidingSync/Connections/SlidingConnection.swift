// One connection of sliding sync in memory. MSC4186, `conn_id`.

import MatrixCore
import Persistence
import Synchronization

/// A device may have several connections, one for each of its purposes.
package struct ConnectionAddress: Sendable, Hashable {
    package let user: UserID
    /// Empty for a token without a device.
    package let device: DeviceID
    package let name: ByteString

    package init(user: UserID, device: DeviceID, name: ByteString) {
        self.user = user
        self.device = device
        self.name = name
    }
}

/// A connection: what its client has got, and what the server has worked out for it.
final class SlidingConnection: Sendable {
    private struct State {
        var history: ConnectionHistory
        var memo: ConnectionMemo?
        /// Something changed that is not stored.
        var isUnstored = false
        var usedAt: Timestamp
        /// What the database knows of `usedAt`.
        var storedUseAt: Timestamp
        var isEnded = false
    }

    let address: ConnectionAddress
    let key: Int64
    private let state: Mutex<State>

    init(_ address: ConnectionAddress, key: Int64, history: ConnectionHistory, storedUseAt: Timestamp, now: Timestamp) {
        self.address = address
        self.key = key
        state = Mutex(State(history: history, usedAt: now, storedUseAt: storedUseAt))
    }

    /// What the client has that comes back with this number, and what was worked out when it was last here: lent to one request at a time.
    ///
    /// - Returns: nil where it is not known what the client has.
    func begin(_ number: Int64, now: Timestamp) -> (rooms: [RoomNID: SentRoom], memo: ConnectionMemo?)? {
        state.withLock { state in
            let before = state.history.number
            guard !state.isEnded, state.history.confirm(number) else { return nil }
            if state.history.number != before { state.isUnstored = true }
            state.usedAt = now
            defer { state.memo = nil }
            return (state.history.rooms, state.memo)
        }
    }

    /// Notes an answer, and takes back what was lent.
    ///
    /// - Returns: the number of the answer; nil where the client has come back with another one in the meantime.
    func end(_ sent: [RoomNID: SentRoom], from start: Int64, memo: ConnectionMemo?) -> Int64? {
        state.withLock { state in
            guard let number = state.history.answer(sent, from: start) else { return nil }
            if !sent.isEmpty { state.isUnstored = true }
            state.memo = memo
            state.memo?.number = number
            return number
        }
    }

    /// Keeps what was worked out for the answer of this number.
    func keep(_ memo: ConnectionMemo?, after number: Int64) {
        state.withLock { state in
            state.memo = memo
            state.memo?.number = number
        }
    }

    /// Nobody comes back to it.
    func close() {
        state.withLock { $0.isEnded = true }
    }

    /// Whether something changed that is not stored.
    var isUnstored: Bool { state.withLock { $0.isUnstored } }
    var usedAt: Timestamp { state.withLock { $0.usedAt } }
    var cost: Int { state.withLock { $0.history.cost + ($0.memo?.cost ?? 0) } }

    /// What has to be stored, if something is; it counts as stored from now on.
    func takeUnstored() -> SlidingConnectionRow? {
        state.withLock { state in
            let isUseDue = state.usedAt.milliseconds(since: state.storedUseAt) > SlidingConnection.useInterval
            guard !state.isEnded, state.isUnstored || isUseDue else { return nil }
            state.isUnstored = false
            state.storedUseAt = state.usedAt
            return SlidingConnectionRow(
                user: address.user, device: address.device, name: address.name, key: key, usedAt: state.usedAt,
                state: state.history.encoded)
        }
    }

    /// What was taken could not be stored.
    func didNotStore() {
        state.withLock { $0.isUnstored = true }
    }

    /// How exact the stored time of the last use is, in milliseconds.
    private static let useInterval: Int64 = 60 * 60 * 1000
}
