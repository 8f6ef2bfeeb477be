#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// One request as it arrived.
struct gateway_request {
    std::string path;
    std::string head;
    std::string body;
    std::size_t number = 0;       ///< Of this path, from 1.
    std::size_t connection = 0;   ///< From 1, in the order of arrival.

    bool has(std::string_view header_line) const { return head.find("\r\n" + std::string(header_line) + "\r\n") != std::string::npos; }
    /// The value of a header, empty when there is none. Names as the client writes them.
    std::string header(std::string_view name) const;
    /// A string member of the JSON body, wherever it stands; empty when there is none.
    std::string member(std::string_view name) const;
};

/// What to answer, in steps.
struct gateway_answer {
    enum class then : std::uint8_t {
        next_request,
        close,
        reset,
        hold,
        again,   ///< The last step, until the client has gone.
    };
    struct step {
        std::string bytes;
        std::chrono::milliseconds pause{0};   ///< Before the bytes.
        std::function<bool()> until;          ///< Before the bytes: asked again and again.
    };

    std::vector<step> steps;
    then afterwards = then::next_request;

    gateway_answer&& after(std::chrono::milliseconds) &&;
    gateway_answer&& once(std::function<bool()>) &&;
};

gateway_answer json(std::string body, unsigned status = 200);
gateway_answer text(std::string body, unsigned status);
gateway_answer raw(std::string bytes, gateway_answer::then);
/// A chunked body, a chunk for each line. `next_request` ends the body.
gateway_answer stream(const std::vector<std::string>& lines, gateway_answer::then);
/// A line as one chunk.
std::string chunk(const std::string& line);
/// The head of a stream, and its lines.
std::string stream_bytes(const std::vector<std::string>& lines);
inline gateway_answer silence() { return raw({}, gateway_answer::then::hold); }
inline gateway_answer hang_up() { return raw({}, gateway_answer::then::close); }

/// An etcd gateway whose every word is scripted: a server on loopback with a thread of its own. Handlers run there, one
/// at a time, until the gateway is gone: what they refer to is declared before it.
class fake_gateway {
public:
    using handler = std::function<gateway_answer(const gateway_request&)>;

    fake_gateway();
    ~fake_gateway();
    fake_gateway(const fake_gateway&) = delete;

    std::string url() const;
    /// Unknown paths get what a server without a gateway says; only the status is a healthy member's until told otherwise.
    void on(std::string path, handler);
    /// How many requests came for a path.
    std::size_t count(const std::string& path) const;
    std::vector<gateway_request> requests(const std::string& path) const;
    std::size_t connections() const;   ///< ever accepted
    std::size_t open_connections() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// The URL of a port on which nobody listens.
std::string refusing_url();

}  // namespace dynconf::test
