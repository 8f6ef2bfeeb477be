#include "wire/classify.hpp"

#include "wire/message_reader.hpp"
#include "wire/quote.hpp"
#include "wire/server_errors.hpp"

namespace dynconf::wire {
namespace {

bool is_grpc_code(int code) {
    return code >= static_cast<int>(grpc_errc::canceled) && code <= static_cast<int>(grpc_errc::unauthenticated);
}

// The status inside "rpc error: code = Unavailable desc = ...".
std::optional<grpc_errc> quoted_status(std::string_view words) {
    constexpr std::string_view mark = "rpc error: code = ";
    const auto at = words.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    words.remove_prefix(at + mark.size());
    return find_grpc_error(words.substr(0, words.find(' ')));
}

// What the words alone say.
std::optional<error_code> code_of_words(std::string_view words) {
    if (const auto known = find_server_error(words)) return make_error_code(*known);
    if (const auto status = quoted_status(words)) return make_error_code(*status);
    return std::nullopt;
}

// What the gateway says of a path that it does not know; etcd itself has longer texts.
constexpr std::string_view unknown_path = "Not Found";

std::optional<error_code> code_of(const server_fault& fault) {
    if (fault.grpc_code == static_cast<int>(grpc_errc::not_found) && fault.message == unknown_path)
        return make_error_code(errc::not_supported);
    const auto by_words = code_of_words(fault.message);
    if (by_words && by_words->category() == server_category()) return by_words;
    // "unknown" is what a lost status looks like: the words know better.
    const bool says_nothing = !is_grpc_code(fault.grpc_code) || fault.grpc_code == static_cast<int>(grpc_errc::unknown);
    if (!says_nothing) return make_error_code(static_cast<grpc_errc>(fault.grpc_code));
    if (by_words) return by_words;
    if (fault.message.find("context deadline exceeded") != std::string::npos)
        return make_error_code(grpc_errc::deadline_exceeded);
    if (fault.message.find("context canceled") != std::string::npos) return make_error_code(grpc_errc::canceled);
    if (is_grpc_code(fault.grpc_code)) return make_error_code(grpc_errc::unknown);
    return std::nullopt;
}

error_code code_of_status(unsigned http_status) {
    switch (http_status) {
    case 401: return make_error_code(grpc_errc::unauthenticated);
    case 403: return make_error_code(grpc_errc::permission_denied);
    case 404: return make_error_code(grpc_errc::not_found);
    case 405: case 501: return make_error_code(grpc_errc::unimplemented);
    case 412: return make_error_code(grpc_errc::failed_precondition);
    case 429: return make_error_code(grpc_errc::resource_exhausted);
    case 502: case 503: return make_error_code(grpc_errc::unavailable);
    case 504: return make_error_code(grpc_errc::deadline_exceeded);
    default: return make_error_code(errc::unexpected_status);
    }
}

/// The words, quoted, and what they do not say.
std::string explained(const error_code& code, std::string_view words) {
    std::string text = quote(words);
    if (code == server_errc::client_certificate_name)
        text += " (with authentication on, the gateway takes only client certificates without a CommonName, and a user's token"
                " beside them)";
    return text;
}

std::string_view hint(unsigned http_status) {
    switch (http_status) {
    case 421: return " (the server does not accept this host name: --host-whitelist)";
    case 431: return " (the request's header is too large)";
    default: return {};
    }
}

error classify_text(unsigned http_status, std::string_view body) {
    // Go's own "not found" page: this port serves HTTP, but nothing below /v3.
    if (http_status == 404 && body.find("404 page not found") != std::string_view::npos)
        return {make_error_code(errc::gateway_disabled), quote(body)};
    if (http_status == 404 && quote(body) == unknown_path) return {make_error_code(errc::not_supported), quote(body)};
    // How Go's servers answer plain HTTP on a TLS port, where they answer it.
    if (http_status == 400 && body.find("HTTP request to an HTTPS server") != std::string_view::npos)
        return {make_error_code(errc::protocol_mismatch), quote(body) + " (give the endpoint as https)"};
    if (const auto code = code_of_words(body)) return {*code, explained(*code, body)};
    if (http_status == 200) {
        return {make_error_code(errc::malformed_response),
                body.empty() ? "the body was empty" : quote("it starts with '" + quote(body, 160) + "'")};
    }
    std::string words = "HTTP " + std::to_string(http_status) + std::string(hint(http_status));
    words += body.empty() ? ", the body was empty" : ": " + std::string(body);
    return {code_of_status(http_status), quote(words)};
}

}  // namespace

error classify(const server_fault& fault) {
    return {code_of(fault).value_or(make_error_code(grpc_errc::unknown)), quote(fault.message)};
}

error classify(unsigned http_status, std::string_view body) {
    constexpr shape no_message{};
    message_reader reader(no_message, nullptr, false);
    reader.write(body);
    // The status says that this is an error: words without a code are as good.
    const server_fault fault = reader.fault().value_or(server_fault{0, reader.message()});
    // A number in front of words that were cut off: they might have said that all will be well with a new token.
    const bool cut = reader.finish() && fault.message.empty();
    if (const auto code = code_of(fault); code && !cut) return {*code, quote(fault.message)};
    return classify_text(http_status, fault.message.empty() ? body : fault.message);
}

error classify_cancel(std::string_view cancel_reason, revision_t compact_revision) {
    if (compact_revision != 0)
        return {make_error_code(server_errc::compacted),
                "compacted up to revision " + std::to_string(compact_revision)};
    return {code_of_words(cancel_reason).value_or(make_error_code(errc::watch_ended)), quote(cancel_reason)};
}

}  // namespace dynconf::wire
