// Why bytes are not an event of a room version. Server-Server API §Checks performed on receipt of a PDU, step 1; §Size limits.

package enum EventError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Not JSON, or not the JSON that the room version allows.
    case json(JSONError)
    /// A field is missing, or is not what the event format says.
    case format(String)
    /// Over a size limit: the event itself, or the field that is named.
    case tooLarge(String)
    /// A new event names this one, and whoever builds it did not say its reference hash: a fault of ours.
    case missingReferenceHash(EventID)

    package var description: String {
        switch self {
        case .json(let error): "\(error)"
        case .format(let reason): reason
        case .tooLarge(let what): "\(what) is too large"
        case .missingReferenceHash(let id): "the reference hash of \(id) is not known"
        }
    }
}
