// What operators and load balancers ask: health, and the page at the root.

enum OperationsRoutes {
    static let table: [Route] = [
        Route(.get, "/health", access: .open) { _ in .bytes(Array("OK".utf8), contentType: "text/plain; charset=utf-8") },
        Route(.get, templates: ["/"], access: .open, resource: .static) { context in
            .redirect(to: context.homeserver.configuration.webClientLocation ?? "/_matrix/static/")
        },
        Route(.get, templates: ["/_matrix/static", "/_matrix/static/"], access: .open, resource: .static) { _ in .html(page) },
    ]

    private static let page = """
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8"><title>Martlet is running</title></head>
        <body><h1>It works: Martlet is running</h1>
        <p>This address is a <a href="https://matrix.org/">Matrix</a> homeserver.
        Give it to a Matrix client as the homeserver to use it.</p></body>
        </html>

        """
}
