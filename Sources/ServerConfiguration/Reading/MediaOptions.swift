// The options of the content repository.

import MatrixCore

enum MediaOptions {
    static let all: [ConfigurationOption] = [
        .bool("enable_media_repo", \.media.isEnabled),
        .string("media_store_path", \.media.storePath),
        .bool("enable_authenticated_media", \.media.isAuthenticated),
        .size("max_upload_size", \.media.uploadByteLimit),
        .size("max_image_pixels", \.media.pixelLimit),
        .bool("dynamic_thumbnails", \.media.makesAnySize),
        .custom("thumbnail_sizes", thumbnailSizes),
        .int("max_pending_media_uploads", \.media.pendingUploadLimit),
        .duration("unused_expiration_time", \.media.unusedLifetime),
        .custom("media_upload_limits", uploadLimits),
        .custom("prevent_media_downloads_from", blockedServers),
        .section(
            "media_retention",
            [
                .duration("local_media_lifetime", \.media.localLifetime),
                .duration("remote_media_lifetime", \.media.remoteLifetime),
            ]),
        .custom("remote_media_download_per_second") { node, option, reading in
            guard let bytes = bytes(node, option, &reading) else { return }
            reading.configuration.rateLimits.remoteMediaBytes.perSecond = Double(bytes)
        },
        .custom("remote_media_download_burst_count") { node, option, reading in
            guard let bytes = bytes(node, option, &reading) else { return }
            reading.configuration.rateLimits.remoteMediaBytes.burst = bytes
        },
    ]

    private static func bytes(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) -> Int? {
        if let bytes = Units.bytes(node) { return bytes }
        reading.fail(node, option, expected: "a size such as 50M (K, M, G or T, or bytes)")
        return nil
    }

    private static func thumbnailSizes(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of sizes") }
        var sizes: [ThumbnailSize] = []
        for (index, element) in list.enumerated() {
            guard case .int(let width)? = element["width"]?.value, case .int(let height)? = element["height"]?.value,
                (1...ThumbnailSize.sideLimit).contains(width), (1...ThumbnailSize.sideLimit).contains(height),
                let method = element["method"]?.textValue.flatMap({ ThumbnailMethod(rawValue: $0) })
            else {
                reading.fail(
                    element, "\(option)[\(index)]",
                    expected: "a mapping with width and height (1 to \(ThumbnailSize.sideLimit)) and method (crop or scale)")
                continue
            }
            sizes.append(ThumbnailSize(width, height, method))
        }
        reading.configuration.media.thumbnailSizes = sizes
    }

    private static func uploadLimits(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of limits") }
        for (index, element) in list.enumerated() {
            guard let period = element["time_period"].flatMap(Units.duration), let size = element["max_size"].flatMap(Units.bytes) else {
                reading.fail(
                    element, "\(option)[\(index)]",
                    expected: "a mapping with time_period (\(ConfigurationOption.durationInWords)) and max_size (a size such as 50M)")
                continue
            }
            reading.configuration.media.uploadLimits.append(.init(period: period, bytes: size))
        }
    }

    private static func blockedServers(_ node: ConfigNode, _ option: String, _ reading: inout ConfigurationOption.Reading) {
        guard let list = node.list else { return reading.fail(node, option, expected: "a list of server names") }
        for (index, element) in list.enumerated() {
            guard let server = element.textValue.flatMap({ ServerName(valid: $0) }) else {
                reading.fail(element, "\(option)[\(index)]", expected: "the name of a server")
                continue
            }
            reading.configuration.media.blockedServers.insert(server)
        }
    }
}
