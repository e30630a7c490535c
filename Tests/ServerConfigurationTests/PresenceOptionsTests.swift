// The options of presence, and the rooms that syncs leave out.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct PresenceOptionsTests {
    @Test(
        "presence is on, off or untracked, and the newer option counts before the older one",
        arguments: [
            ("", PresenceMode.enabled), ("presence: {enabled: false}", .disabled), ("presence: {enabled: untracked}", .untracked),
            ("use_presence: false", .disabled), ("use_presence: true", .enabled),
            ("use_presence: false\npresence: {enabled: true}", .enabled), ("presence: {enabled: false}\nuse_presence: true", .disabled),
        ])
    func modes(text: String, mode: PresenceMode) throws {
        #expect(try settings(text).presence.mode == mode)
    }

    @Test("times and rooms")
    func values() throws {
        let configuration = try settings(
            """
            presence: {last_active_granularity: 10s, sync_online_timeout: 2m, idle_timeout: 1h, include_offline_users_on_sync: true}
            exclude_rooms_from_presence: ['!a:example.com']
            exclude_rooms_from_sync: ['!b:example.com', '!c:example.com']
            """)
        #expect(configuration.presence.lastActiveGranularity == .seconds(10))
        #expect(configuration.presence.syncOnlineTimeout == .seconds(120))
        #expect(configuration.presence.idleTimeout == .seconds(3600))
        #expect(configuration.presence.includesOfflineUsersOnSync)
        #expect(configuration.presence.excludedRooms == [RoomID(trusted: "!a:example.com")])
        #expect(configuration.roomsExcludedFromSync.count == 2)
        let plain = try settings("")
        #expect(plain.presence.syncOnlineTimeout == .seconds(30) && plain.presence.idleTimeout == .seconds(300))
    }

    @Test(
        "what cannot be meant is an error",
        arguments: [
            "presence: {enabled: perhaps}", "presence: {sync_online_timeout: 0}", "presence: {idle_timeout: 10s}", "use_presence: 5",
            "exclude_rooms_from_sync: ['#a:b']", "exclude_rooms_from_presence: all",
        ])
    func errors(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }
}
