// Configurations of tests, read from text.

import MatrixCore
import ServerConfiguration
import Testing

/// What the reader makes of these files, named `homeserver.yaml`, or `0.yaml`, `1.yaml` and so on where there are several.
func read(_ texts: String..., minimal: Bool = true) throws -> ConfigurationReader.Result {
    var documents: [ConfigNode] = []
    if minimal { documents.append(try YAMLFile.parse(minimalText, file: "minimal.yaml")) }
    for (index, text) in texts.enumerated() {
        documents.append(try YAMLFile.parse(text, file: texts.count == 1 ? "homeserver.yaml" : "\(index).yaml"))
    }
    return ConfigurationReader.read(documents: documents, lastFile: "homeserver.yaml", keysDirectory: "/etc/matrix")
}

/// The options that are required.
let minimalText = """
    server_name: example.com
    database: {name: sqlite3, args: {database: /var/lib/matrix/homeserver.db}}
    """

/// The settings that a text makes; fails the test where it makes none.
func settings(_ text: String) throws -> ServerConfiguration {
    let result = try read(text)
    return try #require(result.configuration, "\(result.problems)")
}
