#include "testing/http_text.hpp"

#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <charconv>

namespace dynconf::testing {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t most_at_once = 2048;   // Go's server keeps so much back, to see whether that is all
constexpr std::string_view from_grpc = "Grpc-Metadata-Content-Type: application/grpc\r\n";
constexpr std::string_view in_chunks = "Transfer-Encoding: chunked\r\n";
constexpr std::string_view last_chunk = "0\r\n";

std::string head_of(unsigned status, std::string_view type) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(status));
    std::string head = "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason.data(), reason.size()) + "\r\n";
    if (!type.empty()) head.append("Content-Type: ").append(type).append("\r\n");
    return head;
}

std::string chunk(std::string_view bytes) {
    char size[20];
    const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
    return std::string(size, end).append("\r\n").append(bytes).append("\r\n");
}

bool is_error(std::string_view line) { return line.starts_with("{\"error\""); }

}  // namespace

std::string http_text(const server_profile& p, const reply& r, const exchange_fault& wrong) {
    using enum reply::writer;
    std::string_view body = r.body;
    if (wrong.bad_json && r.status == 200) body = body.substr(0, body.size() / 2);
    std::string text = head_of(r.status, r.content_type);
    for (const std::string& h : r.headers) text.append(h).append("\r\n");
    if (wrong.connection_close) text += "Connection: close\r\n";

    const bool trailer = r.by == server && r.status != 200 && p.library() == server_profile::gateway::v1_6;
    if (trailer) text += "Trailer: Grpc-Trailer-Content-Type\r\n";
    else if (r.by == server && r.status == 200) text += from_grpc;
    const bool large = (r.by == server || r.by == gateway) && body.size() > most_at_once && !p.tells_length();
    if (wrong.wrong_length != 0 || !(trailer || large || r.by == stream)) {
        const auto length = std::max<std::int64_t>(0, static_cast<std::int64_t>(body.size()) + wrong.wrong_length);
        return text.append("Content-Length: ").append(std::to_string(length)).append("\r\n\r\n").append(body);
    }
    text.append(in_chunks).append("\r\n");
    text += r.by == stream ? http_line(p, body) : chunk(body);
    text += last_chunk;
    if (trailer) text += "Grpc-Trailer-Content-Type: application/grpc\r\n";
    return text += "\r\n";
}

std::string http_stream_head(const server_profile& p, bool without_lines) {
    std::string head = head_of(200, without_lines && p.is_v2() ? "" : "application/json");
    if (!without_lines) head += from_grpc;
    return head.append(in_chunks).append("\r\n");
}

// What is larger has its end of line in a chunk of its own; the older gateways' last words have none.
std::string http_line(const server_profile& p, std::string_view line) {
    if (is_error(line) && !p.is_v2()) return chunk(line);
    if (line.size() < most_at_once) return chunk(std::string(line) + "\n");
    return chunk(line) + chunk("\n");
}

}  // namespace dynconf::testing
