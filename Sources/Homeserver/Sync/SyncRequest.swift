// What a client asks of sync. Client-Server API, GET /_matrix/client/v3/sync.

import MatrixCore
import Persistence

/// One request.
package struct SyncRequest: Sendable {
    package let user: UserID
    /// nil for a token without a device: such a client gets no to-device messages and no key counts.
    package let device: DeviceID?
    package var since: SyncToken?
    package var filter: SyncFilter
    package var wantsFullState = false
    /// `use_state_after`: the state at the end of the timeline instead of at its start.
    package var usesStateAfter = false
    /// Under which name the client expects that state.
    package var stateAfterName = "state_after"
    /// How long to wait for something to happen.
    package var timeout: Duration = .zero

    package init(user: UserID, device: DeviceID?, since: SyncToken? = nil, filter: SyncFilter) {
        self.user = user
        self.device = device
        self.since = since
        self.filter = filter
    }
}
