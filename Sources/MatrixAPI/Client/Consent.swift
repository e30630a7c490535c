// The page with the operator's terms: Synapse's `/_matrix/consent`.

import Homeserver
import MatrixCore

enum ConsentRoutes {
    static let table: [Route] = [
        Route(.get, "/_matrix/consent", access: .open, show),
        Route(.post, "/_matrix/consent", access: .open, agree),
    ]

    private static func show(_ context: APIContext) async throws -> APIResponse {
        let name = context.query("u").flatMap { $0.isEmpty ? nil : $0 }
        let html = try await consent(context).page(version: context.query("v"), name: name, mac: context.query("h"))
        return APIContext.page(html)
    }

    private static func agree(_ context: APIContext) async throws -> APIResponse {
        let form = FormFields(context.request)
        let html = try await consent(context).agree(version: try form.required("v"), name: try form.required("u"), mac: form["h"])
        return APIContext.page(html)
    }

    private static func consent(_ context: APIContext) throws(MatrixError) -> ConsentService {
        guard let consent = context.homeserver.consent else { throw .unrecognized }
        return consent
    }
}
