#include <dynconf/error.hpp>

#include "wire/server_errors.hpp"

#include <new>
#include <stdexcept>
#include <system_error>

namespace dynconf {
namespace {

std::string_view own_text(errc code) noexcept {
    switch (code) {
    case errc::invalid_argument: return "invalid argument";
    case errc::invalid_endpoint: return "not an endpoint";
    case errc::unreadable_ca: return "the accepted authorities cannot be read";
    case errc::unreadable_certificate: return "the client certificate cannot be read";
    case errc::unreadable_key: return "the key of the client certificate cannot be read";
    case errc::wrong_key_password: return "the key of the client certificate is encrypted, and not with the given password";
    case errc::key_mismatch: return "the key is not that of the client certificate";
    case errc::no_endpoint_available: return "no endpoint answers";
    case errc::credentials_unavailable: return "no user name and password to log in with";
    case errc::discovery_failed: return "DNS names no endpoint";
    case errc::deadline_exceeded: return "the deadline of the operation has passed";
    case errc::connection_closed: return "the connection was closed before the answer was complete";
    case errc::protocol_mismatch:
        return "the server does not speak HTTP/1.1 here (TLS against plain, or a gRPC-only port?)";
    case errc::certificate_expired: return "the server's certificate has expired";
    case errc::certificate_not_yet_valid: return "the server's certificate is not yet valid (or the clock here is wrong)";
    case errc::certificate_wrong_host: return "the server's certificate is for another host";
    case errc::certificate_self_signed: return "the server's certificate is self-signed";
    case errc::unknown_authority: return "the server's certificate is from no accepted authority";
    case errc::certificate_refused: return "the server's certificate cannot be accepted";
    case errc::client_certificate_required: return "the server requires a client certificate";
    case errc::client_certificate_refused: return "the server does not accept the client certificate";
    case errc::tls_version_refused: return "client and server accept no TLS version in common";
    case errc::gateway_disabled: return "the server does not offer etcd's JSON gateway (--enable-grpc-gateway)";
    case errc::not_supported: return "the server has no such call (an older etcd?)";
    case errc::malformed_response: return "not an answer of etcd";
    case errc::response_too_large: return "the answer is larger than the client allows";
    case errc::unexpected_status: return "unexpected HTTP status";
    case errc::not_acknowledged: return "the server did not confirm the watch in time";
    case errc::watch_ended: return "the server ended the watch";
    case errc::not_current: return "no proof in time that the content is current";
    case errc::history_lost: return "the wanted revisions have been compacted";
    case errc::marker_taken: return "the marker had its write before, or was fenced";
    case errc::lease_expired: return "the lease has expired: no keep-alive was sent in time";
    case errc::lease_revoked: return "the lease was revoked";
    case errc::lease_unreachable: return "no keep-alive of the lease was acknowledged in time";
    case errc::not_acquired: return "held by others for as long as was to be waited";
    case errc::not_held: return "the lock or leadership is held no more";
    case errc::contended: return "others changed the keys each time the write was tried";
    case errc::not_sealed: return "the value is not sealed";
    case errc::unsupported_seal: return "the value is sealed in a way that this version does not know";
    case errc::unknown_key_id: return "the value is sealed with a key that the ring does not have";
    case errc::key_unavailable: return "the key provider failed";
    case errc::seal_broken: return "the seal of the value is broken";
    case errc::schema_violation: return "the value violates its schema";
    case errc::required_missing: return "a required setting has no value";
    case errc::unknown_name: return "unknown name";
    case errc::type_mismatch: return "the value is of another type";
    case errc::cache_refused: return "the copy on disk cannot be used";
    case errc::not_running: return "not running";
    case errc::already_running: return "already running";
    }
    return {};
}

struct own_category final : boost::system::error_category {
    const char* name() const noexcept override { return "dynconf"; }
    std::string message(int code) const override {
        const auto text = own_text(static_cast<errc>(code));
        if (text.empty()) return "dynconf error " + std::to_string(code);
        return std::string(text);
    }
};

struct etcd_category final : boost::system::error_category {
    const char* name() const noexcept override { return "etcdserver"; }
    std::string message(int code) const override {
        const auto text = wire::server_text(static_cast<server_errc>(code));
        if (text.empty()) return "etcd error " + std::to_string(code);
        return std::string(text);
    }
};

struct status_category final : boost::system::error_category {
    const char* name() const noexcept override { return "grpc"; }
    std::string message(int code) const override {
        const auto text = wire::grpc_name(static_cast<grpc_errc>(code));
        return "gRPC status " + (text.empty() ? std::to_string(code) : std::string(text));
    }
};

// An exception's words without those that the code itself will say.
std::string words_before(std::string_view what, const error_code& code) {
    what = what.substr(0, what.find(code.message()));
    while (!what.empty() && (what.back() == ' ' || what.back() == ':')) what.remove_suffix(1);
    return std::string(what);
}

error describe(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const exception& e) {
        return {e.code(), e.detail(), e.in_doubt()};
    } catch (const boost::system::system_error& e) {
        return {e.code(), words_before(e.what(), e.code())};
    } catch (const std::system_error& e) {
        const error_code code = e.code();
        return {code, words_before(e.what(), code)};
    } catch (const std::bad_alloc&) {
        return {make_error_code(boost::system::errc::not_enough_memory), {}};
    } catch (const std::invalid_argument& e) {   // our constructors throw it
        return {errc::invalid_argument, e.what()};
    } catch (const std::exception& e) {
        return {make_error_code(boost::system::errc::state_not_recoverable), std::string("exception: ") + e.what()};
    } catch (...) {
        return {make_error_code(boost::system::errc::state_not_recoverable), "exception of an unknown type"};
    }
}

}  // namespace

const boost::system::error_category& dynconf_category() noexcept {
    static const own_category category;
    return category;
}

const boost::system::error_category& server_category() noexcept {
    static const etcd_category category;
    return category;
}

const boost::system::error_category& grpc_category() noexcept {
    static const status_category category;
    return category;
}

std::string error::message() const {
    std::string words = code.message();
    if (detail.empty()) return words;
    // The server's own words are often the code's message: once is enough.
    return detail.find(words) != std::string::npos ? detail : detail + ": " + words;
}

exception::exception(error e) : error_(std::move(e)), what_(error_.message()) {}

error to_error(const std::exception_ptr& thrown) noexcept {
    if (!thrown) return {};
    try {
        return describe(thrown);
    } catch (...) {
        // Even the words did not fit into memory.
        return {make_error_code(boost::system::errc::not_enough_memory), {}};
    }
}

void throw_exception_from_error(const error& e, const boost::source_location&) {
    throw exception(e);
}

}  // namespace dynconf
