// Showing that a telephone number is one's own: codes are asked for and given. Client-Server API §Adding Account Administrative Contact
// Information, §Account registration, §Password management.

import Homeserver
import MatrixCore

enum PhoneValidationRoutes {
    private static let submission = "/add_threepid/msisdn/submit_token"

    static let table: [Route] = [
        .client(.post, "/register/msisdn/requestToken", access: .open) { context in
            try await answer(context) { try await $0.beginRegistration($1, from: context.request.remoteAddress) }
        },
        .client(.post, "/account/password/msisdn/requestToken", access: .open) { context in
            try await answer(context) { try await $0.beginPasswordReset($1, from: context.request.remoteAddress) }
        },
        .client(.post, "/account/3pid/msisdn/requestToken", access: .open) { context in
            try await answer(context) { try await $0.beginAddition($1, from: context.request.remoteAddress) }
        },
        // Where clients bring the code, as Synapse has it.
        .client(.post, submission, versions: ["unstable"], access: .open, submit),
    ]

    /// Some clients show the number as it was understood.
    private static func answer(
        _ context: APIContext, _ begin: (ThirdPartyRequests, PhoneValidation.Request) async throws -> String
    ) async throws -> APIResponse {
        let (body, requests) = (try context.body(), context.homeserver.thirdPartyRequests)
        let request = try PhoneValidation.Request(
            try body.requiredString("phone_number"), country: try body.requiredString("country"),
            secret: try ClientSecret(try body.requiredString("client_secret")), sendAttempt: try body.requiredInt("send_attempt"),
            nextLink: try requests.nextLink(try body.optionalString("next_link")))
        let session = try await begin(requests, request)
        return .object { body in
            body.member("sid", session)
            body.member("submit_url", "\(context.homeserver.configuration.publicBaseURL)_matrix/client/unstable\(submission)")
            body.member("msisdn", request.number.digits)
        }
    }

    private static func submit(_ context: APIContext) async throws -> APIResponse {
        guard let validation = context.homeserver.phoneValidation else {
            throw MatrixError.unknown("This homeserver is not validating phone numbers. Use an identity server instead.", status: 400)
        }
        let body = try context.body()
        let isRight = try await validation.submit(
            try body.requiredString("token"), session: try body.requiredString("sid"),
            secret: try ClientSecret(try body.requiredString("client_secret")))
        return .object { $0.member("success", isRight) }
    }
}
