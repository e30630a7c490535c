// What other servers ask about devices and their keys. Server-Server API §Device Management, §End-to-End Encryption.

import Homeserver
import MatrixCore
import Persistence

enum FederationDeviceRoutes {
    static let table: [Route] = [
        .federation(.get, "/user/devices/{userId}", devices),
        .federation(.post, "/user/keys/query", bodyLimit: bodyLimit, query),
        .federation(.post, "/user/keys/claim", bodyLimit: bodyLimit, claim),
    ]

    /// Room for the members of a large room.
    private static let bodyLimit = 4 << 20

    private static func devices(_ context: APIContext) async throws -> APIResponse {
        let homeserver = context.homeserver
        let user = try context.userID("userId")
        guard user.belongs(to: homeserver.serverName) else { throw MatrixError.unknown("User is not hosted on this homeserver") }
        // The position first: whatever changes meanwhile is told again.
        let position = try await homeserver.database.read { try DeviceListStore.lastDeviceChange(of: user, on: $0) }
        let answer = try await homeserver.keys.query(KeyQuery(everythingOf: user), by: nobody(of: context))
        let showsNames = homeserver.configuration.federation.allowsDeviceNameLookup
        return .object(capacity: 4096) { body in
            body.member("user_id", user)
            body.member("stream_id", position?.value ?? 0)
            body.member("devices") { list in
                for device in answer.users.flatMap(\.devices) {
                    list.object { writer in
                        writer.member("device_id", device.device)
                        writer.member("keys", raw: device.json)
                        if showsNames, let name = device.displayName { writer.member("device_display_name", name) }
                    }
                }
            }
            for (name, usage) in [("master_key", CrossSigningUsage.master), ("self_signing_key", .selfSigning)] {
                if let key = answer.crossSigningKeys.first(where: { $0.usage == usage }) { body.member(name, raw: key.json) }
            }
        }
    }

    private static func query(_ context: APIContext) async throws -> APIResponse {
        let answer = try await context.homeserver.keys.query(KeyQuery(context.body()), by: nobody(of: context))
        let showsNames = context.homeserver.configuration.federation.allowsDeviceNameLookup
        return .object(capacity: 4096) { body in
            body.key("device_keys")
            body.object { writer in
                for (user, devices) in answer.users {
                    writer.key(user.string)
                    writer.object { writer in
                        for device in devices {
                            writer.key(device.device.string)
                            writer.openRaw(device.json.dropLast())
                            writer.key("unsigned")
                            writer.object { if showsNames, let name = device.displayName { $0.member("device_display_name", name) } }
                            writer.close()
                        }
                    }
                }
            }
            for (name, usage) in [("master_keys", CrossSigningUsage.master), ("self_signing_keys", .selfSigning)] {
                body.key(name)
                body.object { writer in
                    for key in answer.crossSigningKeys where key.usage == usage { writer.member(key.user.string, raw: key.json) }
                }
            }
        }
    }

    private static func claim(_ context: APIContext) async throws -> APIResponse {
        let answer = try await context.homeserver.keys.claim(KeyClaim.claims(in: context.body()))
        return .object(capacity: 4096) { KeyRoutes.write(answer.keys, to: &$0) }
    }

    /// A viewer who is no user: sees what everybody sees.
    private static func nobody(of context: APIContext) throws(MatrixError) -> UserID {
        UserID(trusted: "@:\(try context.origin)")
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ key: String, _ body: (inout JSONWriter) -> Void) {
        member(key, array: body)
    }
}
