// Which events members get to see. Client-Server API §Room History Visibility.

/// The `history_visibility` of `m.room.history_visibility`.
package enum HistoryVisibility: String, Sendable, Hashable, CaseIterable {
    case worldReadable = "world_readable"
    case shared
    case invited
    case joined

    /// - Parameter content: the content of the event; `nil` when the room has none. Values not understood count as `shared`.
    package init(content: JSON?) {
        self = content?["history_visibility"]?.string.flatMap(Self.init(rawValue:)) ?? .shared
    }
}
