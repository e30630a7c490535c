// Client-Server API §Cross-signing.

import Homeserver
import MatrixCore

enum CrossSigningRoutes {
    static let table: [Route] = [
        .client(.post, "/keys/device_signing/upload", versions: ["v3", "unstable"], bodyLimit: keysLimit, uploadKeys),
        .client(.post, "/keys/signatures/upload", bodyLimit: signaturesLimit, uploadSignatures),
    ]

    /// Three keys with their signatures.
    private static let keysLimit = 256 * 1024
    /// Some thousand signed keys.
    private static let signaturesLimit = 1 << 20

    private static func uploadKeys(_ context: APIContext) async throws -> APIResponse {
        let (requester, body) = (try context.requester, try context.body())
        let user = requester.user
        let upload = try CrossSigningUpload(body, of: user)
        let crossSigning = context.homeserver.crossSigning
        return try await answeringChallenges {
            do {
                // Who has an application service's token has shown enough.
                try await crossSigning.upload(upload, of: user, isAuthenticated: requester.service != nil)
            } catch is CrossSigningService.AuthenticationNeeded {
                if let service = context.homeserver.authenticationService { throw try await service.crossSigningChallenge() }
                try await context.authenticateInteractively(body, mayBeRecent: true)
                try await crossSigning.upload(upload, of: user, isAuthenticated: true)
            }
            return .empty
        }
    }

    private static func uploadSignatures(_ context: APIContext) async throws -> APIResponse {
        let upload = try SignatureUpload(context.body())
        let failures = try await context.homeserver.crossSigning.upload(upload, by: context.requester.user)
        return .object { writer in
            writer.member("failures", object: { writer in write(failures[...], to: &writer) })
        }
    }

    /// The failures of a user stand together.
    private static func write(_ failures: ArraySlice<RefusedSignature>, to writer: inout JSONWriter) {
        var rest = failures
        while let first = rest.first {
            let run = rest.prefix { $0.user == first.user }
            writer.member(
                first.user.string,
                object: { writer in
                    for failure in run { writer.member(failure.key.string, object: { write(failure.error, to: &$0) }) }
                })
            rest = rest.dropFirst(run.count)
        }
    }

    private static func write(_ error: MatrixError, to writer: inout JSONWriter) {
        writer.member("errcode", error.errcode)
        writer.member("error", error.message)
        // As Synapse says it.
        writer.member("message", error.message)
        writer.member("status", error.status)
    }
}
