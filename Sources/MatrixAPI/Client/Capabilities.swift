// What the caller may do here. Client-Server API §Capabilities negotiation.

import Homeserver
import MatrixCore

enum CapabilitiesRoutes {
    static let table: [Route] = [
        .client(.get, "/capabilities", capabilities)
    ]

    private static func capabilities(_ context: APIContext) throws -> APIResponse {
        let isAdmin = try context.requester.isAdmin
        let configuration = context.homeserver.configuration
        let fields = [
            (name: "displayname", isEnabled: configuration.enableSetDisplayName),
            (name: "avatar_url", isEnabled: configuration.enableSetAvatarURL),
        ]
        let flags = [
            ("m.change_password", configuration.passwordReauthenticationEnabled),
            ("m.set_displayname", configuration.enableSetDisplayName),
            ("m.set_avatar_url", configuration.enableSetAvatarURL),
            ("m.3pid_changes", configuration.registration.allowsThirdPartyChanges),
            ("m.get_login_token", configuration.login.existingSession.isEnabled),
        ]
        return .object(capacity: 1024) { body in
            body.member(
                "capabilities",
                object: { capabilities in
                    capabilities.member(
                        "m.room_versions",
                        object: { versions in
                            versions.member("default", configuration.defaultRoomVersion.id)
                            versions.member(
                                "available",
                                object: { available in
                                    for version in RoomVersion.all { available.member(version.id, "stable") }
                                })
                        })
                    for (name, isEnabled) in flags {
                        capabilities.member(name, object: { $0.member("enabled", isEnabled) })
                    }
                    capabilities.member(
                        "m.profile_fields",
                        object: { profile in
                            profile.member("enabled", true)
                            let disallowed = fields.filter { !$0.isEnabled }.map(\.name)
                            if !disallowed.isEmpty { profile.member("disallowed", disallowed) }
                        })
                    if isAdmin {
                        capabilities.member(
                            "m.account_moderation",
                            object: { moderation in
                                moderation.member("lock", true)
                                moderation.member("suspend", true)
                            })
                    }
                    let delayed = context.homeserver.delayedEvents
                    if delayed.longestDelay > 0 {
                        capabilities.member(
                            "org.matrix.msc4140.delayed_events",
                            object: { limits in
                                limits.member("max_delay_ms", delayed.longestDelay)
                                limits.member("max_scheduled", DelayedEventService.limitPerUser)
                            })
                    }
                    if configuration.tellsAccountStatus {
                        capabilities.member("org.matrix.msc3720.account_status", object: { $0.member("enabled", true) })
                    }
                })
        }
    }
}
