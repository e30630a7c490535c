// Client-Server API §Key management API.

import Homeserver
import MatrixCore
import Persistence

enum KeyRoutes {
    static let table: [Route] = [
        .client(.post, "/keys/upload", bodyLimit: bodyLimit, upload),
        .client(.post, "/keys/query", bodyLimit: bodyLimit, query),
        .client(.post, "/keys/claim", bodyLimit: bodyLimit, claim),
        .client(.get, "/keys/changes", changes),
    ]

    /// Room for the members of a large room.
    private static let bodyLimit = 4 << 20

    private static func upload(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        guard let device = requester.device else {
            throw MatrixError.invalidParam("To upload keys, you must pass device_id when authenticating")
        }
        let owner = DeviceAddress(user: requester.user, device: device)
        let counts = try await context.homeserver.keys.upload(KeyUpload(context.body(), by: owner), by: owner)
        return .object { writer in
            writer.key("one_time_key_counts")
            writer.object { writer in
                for (algorithm, count) in counts.oneTimeKeys { writer.member(algorithm, count) }
            }
        }
    }

    private static func query(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let answer = try await context.homeserver.keyDirectory.query(
            KeyQuery(body), by: context.requester.user, timeout: KeyDirectory.timeout(body.optionalInt("timeout")))
        let size = answer.users.reduce(1024) { size, user in
            user.devices.reduce(size + 160) { $0 + $1.json.count + 96 }
        }
        return .object(capacity: answer.crossSigningKeys.reduce(size) { $0 + $1.json.count + 96 }) { writer in
            writer.key("device_keys")
            writer.object { writer in
                for (user, devices) in answer.users {
                    writer.key(user.string)
                    writer.object { writer in
                        for device in devices { write(device, to: &writer) }
                    }
                }
            }
            write(answer.failures, to: &writer)
            for (name, usage) in crossSigningMembers {
                writer.key(name)
                writer.object { writer in
                    for key in answer.crossSigningKeys where key.usage == usage { writer.member(key.user.string, raw: key.json) }
                }
            }
        }
    }

    private static let crossSigningMembers: [(name: String, usage: CrossSigningUsage)] = [
        ("master_keys", .master), ("self_signing_keys", .selfSigning), ("user_signing_keys", .userSigning),
    ]

    /// The stored object with `unsigned` added.
    private static func write(_ keys: DeviceKeysRow, to writer: inout JSONWriter) {
        writer.key(keys.device.string)
        writer.openRaw(keys.json.dropLast())
        writer.key("unsigned")
        writer.object { writer in
            if let name = keys.displayName { writer.member("device_display_name", name) }
        }
        writer.close()
    }

    private static func claim(_ context: APIContext) async throws -> APIResponse {
        let body = try context.body()
        let answer = try await context.homeserver.keyDirectory.claim(
            KeyClaim.claims(in: body), timeout: KeyDirectory.timeout(body.optionalInt("timeout")))
        return .object(capacity: 4096) { writer in
            write(answer.keys, to: &writer)
            write(answer.failures, to: &writer)
        }
    }

    /// The keys that were handed out, as clients and other servers get them.
    static func write(_ keys: [ClaimedKey], to writer: inout JSONWriter) {
        writer.key("one_time_keys")
        writer.object { writer in
            write(keys[...], groupedBy: { $0.address.user.string }, to: &writer) { keys, writer in
                write(keys, groupedBy: { $0.address.device.string }, to: &writer) { keys, writer in
                    for claimed in keys { writer.member(claimed.key.name, raw: claimed.key.json) }
                }
            }
        }
    }

    /// Writes an object for each run of keys with the same name.
    private static func write(
        _ keys: ArraySlice<ClaimedKey>, groupedBy name: (ClaimedKey) -> String, to writer: inout JSONWriter,
        each: (ArraySlice<ClaimedKey>, inout JSONWriter) -> Void
    ) {
        var rest = keys
        while let first = rest.first {
            let common = ByteString(name(first))
            let run = rest.prefix { ByteString(name($0)) == common }
            writer.member(common.string, object: { writer in each(run, &writer) })
            rest = rest.dropFirst(run.count)
        }
    }

    private static func write(_ failures: [(server: ServerName, reason: String)], to writer: inout JSONWriter) {
        writer.key("failures")
        writer.object { writer in
            for (server, reason) in failures {
                writer.key(server.string)
                writer.object { writer in
                    writer.member("message", reason)
                    writer.member("status", 503)
                }
            }
        }
    }

    private static func changes(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let from = try SyncToken(parsing: context.requiredQuery("from"))
        // `to` is a hint: what came after it may be told as well, and is when there is no `to`.
        let to = try context.query("to").map { (text) throws(MatrixError) in try SyncToken(parsing: text) }
        let now = context.homeserver.journal.position
        let upTo = min(to?.position ?? now, now)
        let changes = try await context.homeserver.deviceLists.changes(for: user, after: from.position, upTo: upTo)
        return .object { writer in
            writer.member("changed", changes.changed)
            writer.member("left", changes.left)
        }
    }
}
