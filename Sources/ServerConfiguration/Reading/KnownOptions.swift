// Options of Synapse that this server knows by name only: they are reported at start, and have no effect.
// The sections are those of Synapse's configuration manual.

enum KnownOptions {
    static let notBuilt: [(section: String, names: [String])] = [
        (
            "Modules",
            [
                "modules"
            ]
        ),
        (
            "Server",
            [
                "user_agent_suffix", "include_profile_data_on_invite",
                "manhole", "manhole_settings", "http_proxy", "https_proxy",
                "no_proxy_hosts",
                "user_types",
            ]
        ),
        (
            "Homeserver blocking",
            [
                "server_context",
                "limit_remote_rooms", "allow_per_room_profiles", "max_avatar_size", "allowed_avatar_mimetypes",
                "redaction_retention_period", "forgotten_room_retention_period",
            ]
        ),
        (
            "Federation",
            [
                "federation_whitelist_endpoint_enabled", "federation_metrics_domains",
            ]
        ),
        (
            "Caching",
            [
                "event_cache_size"
            ]
        ),
        (
            "Database",
            [
                "databases"
            ]
        ),
        (
            "Media Store",
            [
                "enable_local_media_storage", "media_storage_providers", "url_preview_enabled", "url_preview_ip_range_blacklist",
                "url_preview_ip_range_whitelist", "url_preview_url_blacklist", "max_spider_size", "url_preview_accept_language",
                "oembed",
            ]
        ),
        (
            "Metrics",
            [
                "sentry", "metrics_flags", "report_stats_endpoint",
            ]
        ),
        (
            "API Configuration",
            [
                "room_prejoin_state", "track_puppeted_user_ips",
                "use_appservice_legacy_authorization",
            ]
        ),
        (
            "Signing Keys",
            [
                "key_server_signing_keys_path"
            ]
        ),
        (
            "Single sign-on integration",
            [
                "saml2_config"
            ]
        ),
        (
            "Push",
            [
                "push"
            ]
        ),
        (
            "Rooms",
            [
                "stats", "default_power_level_content_override",
            ]
        ),
        (
            "Opentracing",
            [
                "opentracing"
            ]
        ),
        (
            "Coordinating workers",
            [
                "worker_replication_secret", "worker_replication_secret_path", "start_pushers", "pusher_instances", "send_federation",
                "federation_sender_instances", "instance_map", "stream_writers", "outbound_federation_restricted_to",
                "run_background_tasks_on", "update_user_directory_from_worker", "notify_appservices_from_worker",
                "media_instance_running_background_jobs", "redis",
            ]
        ),
        (
            "Individual worker configuration",
            [
                "worker_app", "worker_name", "worker_listeners", "worker_manhole", "worker_daemonize", "worker_pid_file",
                "worker_log_config",
            ]
        ),
        (
            "Background Updates",
            [
                "background_updates"
            ]
        ),
        (
            "Auto Accept Invites",
            [
                "auto_accept_invites"
            ]
        ),
        (
            "Not in the manual, or of older versions",
            [
                "rc_profile", "rc_messages_per_second", "rc_message_burst_count", "federation_rc_window_size",
                "federation_rc_sleep_limit", "federation_rc_sleep_delay", "federation_rc_reject_limit", "federation_rc_concurrent",
                "disable_registration", "password_providers", "spam_checker",
                "third_party_event_rules", "uploads_path", "enable_group_creation", "metrics_port", "metrics_bind_host", "bind_port",
                "unsecure_port", "bind_host", "no_tls", "tls_fingerprints", "acme", "perspectives",
                "worker_log_file", "saml2_enabled", "cas_enabled", "jwt_enabled", "trust_identity_server_for_password_resets",
            ]
        ),
    ]
}
