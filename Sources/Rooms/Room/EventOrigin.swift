// Who sends an event into a room, and by which request.

import MatrixCore

/// The local user and device behind an event. Client-Server API §Transaction identifiers: the same transaction id from the same
/// device makes no second event.
package struct EventOrigin: Sendable, Hashable {
    package let user: UserID
    package let device: DeviceID?
    package let transactionID: String?
    /// The event comes from another server.
    var isRemote = false
    /// It is passed on to further servers.
    var isRelayed = false

    package init(user: UserID, device: DeviceID? = nil, transactionID: String? = nil) {
        self.user = user
        self.device = device
        self.transactionID = transactionID
    }

    /// The origin as a key of idempotency; nil when the request has no transaction id.
    var idempotencyKey: EventOrigin? { transactionID == nil ? nil : self }
}
