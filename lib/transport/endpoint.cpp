#include <dynconf/endpoint.hpp>

#include "transport/shown_url.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <charconv>

namespace dynconf {

namespace {

constexpr std::uint16_t default_port = 2379;

std::string_view trimmed(std::string_view s) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!s.empty() && blank(s.front())) s.remove_prefix(1);
    while (!s.empty() && blank(s.back())) s.remove_suffix(1);
    return s;
}

error refused(std::string_view text, const std::string& why) {
    return {errc::invalid_endpoint, "'" + transport::shown_url(text) + "': " + why};
}

bool is_host_name(std::string_view s) {
    if (s.empty() || s.size() > 253) return false;
    const bool known = std::all_of(s.begin(), s.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
    if (!known) return false;
    if (s.back() == '.') s.remove_suffix(1);   // the root
    for (;;) {
        const auto dot = s.find('.');
        const std::size_t label = std::min(dot, s.size());
        if (label == 0 || label > 63) return false;
        if (dot == std::string_view::npos) return true;
        s.remove_prefix(dot + 1);
    }
}

/// Of an IPv6 address, if there is one: a name that an interface can have.
bool is_zone(std::string_view address) {
    const auto percent = address.find('%');
    if (percent == std::string_view::npos) return true;
    const std::string_view zone = address.substr(percent + 1);
    return !zone.empty() && zone.size() <= 15 && std::none_of(zone.begin(), zone.end(), [](char c) { return c <= ' ' || c > '~' || c == '%'; });
}

}  // namespace

result<endpoint> endpoint::parse(std::string_view text) {
    std::string_view rest = trimmed(text);
    const std::string_view all = rest;
    if (rest.empty()) return refused(all, "empty");
    // It goes into a header and into log lines as it is, and to functions for which a zero byte is the end.
    if (std::any_of(rest.begin(), rest.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return refused(all, "a control character");

    scheme kind = scheme::http;
    if (const auto colon = rest.find("://"); colon != std::string_view::npos) {
        const std::string_view name = rest.substr(0, colon);
        if (name == "https") kind = scheme::https;
        else if (name == "unix") kind = scheme::unix_socket;
        else if (name != "http") return refused(all, "the scheme is not http, https or unix");
        rest.remove_prefix(colon + 3);
    }
    if (kind == scheme::unix_socket) {
        if (!rest.starts_with('/')) return refused(all, "a unix socket needs an absolute path: unix:///path");
        return endpoint(kind, std::string(rest), 0);
    }

    if (rest.find('@') != std::string_view::npos)
        return refused(all, "credentials do not belong into an endpoint; give them as user name and password");
    if (const auto slash = rest.find_first_of("/?#"); slash != std::string_view::npos) {
        if (rest.substr(slash) != "/") return refused(all, "a path is not possible");
        rest = rest.substr(0, slash);
    }

    std::string_view host = rest;
    std::string_view port;
    bool has_port = false;
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        if (close == std::string_view::npos) return refused(all, "']' is missing");
        host = rest.substr(1, close - 1);
        boost::system::error_code ec;
        boost::asio::ip::make_address_v6(std::string(host), ec);
        // What follows '%' is taken for the number of an interface whatever it is.
        if (ec || !is_zone(host)) return refused(all, "not an IPv6 address between the brackets");
        const std::string_view after = rest.substr(close + 1);
        has_port = !after.empty();
        if (has_port && after.front() != ':') return refused(all, "only ':port' may follow ']'");
        if (has_port) port = after.substr(1);
    } else if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
        if (rest.find(':', colon + 1) != std::string_view::npos) return refused(all, "an IPv6 address needs brackets: [::1]:2379");
        host = rest.substr(0, colon);
        port = rest.substr(colon + 1);
        has_port = true;
    }
    if (host.empty()) return refused(all, "the host is missing");
    if (!rest.starts_with('[') && !is_host_name(host)) return refused(all, "not a host name");

    std::uint16_t number = default_port;
    if (has_port) {
        const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (ec != std::errc() || end != port.data() + port.size() || number == 0)
            return refused(all, "the port is not a number from 1 to 65535");
    }
    return endpoint(kind, std::string(host), number);
}

result<std::vector<endpoint>> endpoint::parse_list(std::string_view text) {
    std::vector<endpoint> list;
    for (;;) {
        const auto comma = text.find(',');
        auto one = parse(text.substr(0, comma));
        // A comma may stand in a password: then this item is a part of it, and must not be quoted either.
        if (!one && comma != std::string_view::npos && text.find('@', comma) != std::string_view::npos)
            return error{errc::invalid_endpoint, "an item of the list, which also holds an '@'; credentials have their own option"};
        if (!one) return one.error();
        list.push_back(std::move(*one));
        if (comma == std::string_view::npos) return list;
        text.remove_prefix(comma + 1);
    }
}

std::string endpoint::authority() const {
    if (scheme_ == scheme::unix_socket) return "localhost";
    const bool v6 = host_.find(':') != std::string::npos;
    return (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

std::string endpoint::to_string() const {
    switch (scheme_) {
        case scheme::unix_socket: return "unix://" + host_;
        case scheme::https: return "https://" + authority();
        case scheme::http: break;
    }
    return "http://" + authority();
}

}  // namespace dynconf
