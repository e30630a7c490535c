// Media whose addresses are known before their content. Client-Server API §Create a new `mxc://` URI without uploading the content.

import Synchronization

/// Who uploads to such an address, and who waits for it.
final class PendingUploads: Sendable {
    private struct State {
        var uploading: Set<String> = []
        var waiting: [String: (arrival: Outcome<Void>, count: Int)] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: false while somebody else uploads there.
    func begin(_ mediaID: String) -> Bool { state.withLock { $0.uploading.insert(mediaID).inserted } }

    func end(_ mediaID: String) { state.withLock { _ = $0.uploading.remove(mediaID) } }

    /// The content is there.
    func arrived(_ mediaID: String) {
        state.withLock { $0.waiting[mediaID]?.arrival }?.resolve(())
    }

    /// Waits for the content, while `isMissing` says that it is not there.
    ///
    /// - Returns: when it has come, or `limit` is over, or nobody waits any more.
    func wait(for mediaID: String, atMost limit: Duration, while isMissing: () async throws -> Bool) async throws {
        let arrival = state.withLock { state in
            let arrival = state.waiting[mediaID]?.arrival ?? Outcome<Void>()
            state.waiting[mediaID] = (arrival, (state.waiting[mediaID]?.count ?? 0) + 1)
            return arrival
        }
        defer {
            state.withLock { state in
                guard let (arrival, count) = state.waiting[mediaID] else { return }
                state.waiting[mediaID] = count > 1 ? (arrival, count - 1) : nil
            }
        }
        // What came before this one waited has told nobody.
        guard try await isMissing() else { return }
        _ = await within(limit) { await arrival.value() }
    }
}
