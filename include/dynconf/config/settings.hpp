#pragma once

#include <dynconf/config/environment.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/secret.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// How to reach the configuration. What is not set here may come from the environment; what is set always wins.
/// An empty text, or an empty list, counts as not set.
///
/// | field | variable | meaning |
/// |---|---|---|
/// | endpoints | EtcdSettings__HostName | one or more between commas; "http://" and ":2379" are filled in |
/// | username | EtcdSettings__UserName | used together with a password only |
/// | password | EtcdSettings__Password | used together with a username only |
/// | password_file | EtcdSettings__PasswordFile | a file with the password, read again when etcd refuses it; `password` wins |
/// | root_key | EtcdSettings__RootKey | the root of all keys |
/// | ca_cert_path | EtcdSettings__CaCertPath | for https; not set: the system's store |
/// | cert_path | EtcdSettings__CertPath | the client certificate for https, see `tls_options::cert_file` |
/// | key_path | EtcdSettings__KeyPath | its key; not set: in the certificate's file |
/// | key_password | EtcdSettings__KeyPassword | of an encrypted key |
/// | dev | EtcdSettings__Dev | "true" in any case puts "/dev" in front of the root; all else is false |
/// | use_local_config | USE_LOCAL_CONFIG | "true" in any case: values come from the environment, etcd is not asked |
///
/// There is no operator<<: nothing prints the passwords.
struct settings {
    std::optional<std::vector<std::string>> endpoints;
    std::optional<std::string> username;
    std::optional<secret> password;
    std::optional<std::string> password_file;
    std::optional<std::string> root_key;
    std::optional<std::string> ca_cert_path;
    std::optional<std::string> cert_path;
    std::optional<std::string> key_path;
    std::optional<secret> key_password;
    std::optional<bool> dev;
    std::optional<bool> use_local_config;

    /// All from the environment, as it is now.
    DYNCONF_API static settings from_environment(const environment_lookup& look_up = process_environment());

    /// A copy in which the fields that are not set here are taken from the environment.
    DYNCONF_API settings or_environment(const environment_lookup& look_up = process_environment()) const;

    /// ("/dev" if dev) + the root, which gets a slash in front, none at the end, and no blanks around it.
    /// `default_root` serves when no root is set; without either this is "/dev" or empty.
    DYNCONF_API std::string config_root(std::string_view default_root = {}) const;

    bool is_dev() const noexcept { return dev.value_or(false); }
    bool is_local() const noexcept { return use_local_config.value_or(false); }
};

/// "host", "host:2379" or a URL as a URL with a scheme (http if none) and a port (2379 if none).
/// What is no endpoint at all is not judged here; connecting does.
DYNCONF_API std::string completed_endpoint(std::string_view endpoint);

}  // namespace dynconf
