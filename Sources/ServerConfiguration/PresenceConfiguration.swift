// `presence`: whether users see who is there, and how soon. Client-Server API §Presence.

import MatrixCore

/// What `presence.enabled` says.
package enum PresenceMode: Sendable, Hashable {
    case enabled
    /// Presence is shown, but this server finds none out by itself.
    case untracked
    case disabled
}

package struct PresenceConfiguration: Sendable {
    /// `presence.enabled`.
    package var setting: PresenceMode?
    /// `use_presence`, the older option, which counts where the newer one is not given.
    package var olderSetting: Bool?
    package var mode: PresenceMode { setting ?? (olderSetting == false ? .disabled : .enabled) }

    package var includesOfflineUsersOnSync = false
    /// How long somebody counts as active just now.
    package var lastActiveGranularity: Duration = .seconds(60)
    /// How long after the last sync a device counts as gone.
    package var syncOnlineTimeout: Duration = .seconds(30)
    /// How long without activity a device counts as idle.
    package var idleTimeout: Duration = .seconds(300)
    /// `exclude_rooms_from_presence`.
    package var excludedRooms: Set<RoomID> = []

    package init() {}
}

extension Duration {
    /// Rounded down.
    package var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
