#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <variant>

namespace dynconf {

namespace detail { class credentials_access; }

/// A user of etcd's own authentication.
struct credentials {
    std::string username;
    secret password;
};

/// Where a client's user name and password come from. All but fixed ones are asked for when first needed, and again after etcd
/// has refused them: so a password that was changed reaches a client that runs. Without an answer the calls that need one fail
/// with errc::credentials_unavailable, and the next one asks again, after a second at the earliest. A value; may be copied.
class DYNCONF_API credentials_source {
public:
    /// Gives the credentials as they are now. Runs on the client's strand, so it must not block; is not called again before
    /// it has ended or was given up. What it throws becomes the detail of the error, without the secrets that the client knows.
    using provider_function = std::function<boost::asio::awaitable<credentials>()>;

    /// These and no others.
    credentials_source(credentials fixed) : from_(std::move(fixed)) {}

    /// Two variables of the process environment. Programs that change it while threads run have to know what they do.
    static credentials_source environment(std::string username_variable, std::string password_variable);

    /// The password is the content of a file, without a line end at its end; at most 64 KiB. Replace the file by another one (a
    /// rename), as orchestrators do; a symbolic link is followed. May be a pipe; one that nobody writes to is waited for 10 s, as a
    /// disk that hangs.
    static credentials_source file(std::string username, std::filesystem::path password_file);

    /// Given up after `timeout`, by terminal cancellation. Throws std::invalid_argument for an empty function or no time.
    static credentials_source provider(provider_function ask, std::chrono::milliseconds timeout = std::chrono::seconds(10));

private:
    friend class detail::credentials_access;

    struct variables { std::string username, password; };
    struct password_in_file { std::string username; std::filesystem::path path; };
    struct coroutine { provider_function ask; std::chrono::milliseconds timeout; };
    using origin = std::variant<credentials, variables, password_in_file, coroutine>;

    explicit credentials_source(origin from) : from_(std::move(from)) {}

    origin from_;
};

}  // namespace dynconf
