#include "commands.hpp"
#include "options.hpp"

#include <csignal>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <variant>

int main(int argc, char* argv[]) {
    using namespace dynconf::tool;
    std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an ordinary end
    try {
        const auto parsed = parse_command_line(argc, argv);
        if (const auto* ended = std::get_if<exit_code>(&parsed)) return *ended;
        const request& asked = std::get<request>(parsed);
        return asked.what == request::command::watch ? run_watch(asked) : run_command(asked);
    } catch (const std::invalid_argument& e) {
        std::cerr << e.what() << '\n';
        return usage;
    } catch (const std::exception& e) {
        std::cerr << "dynconf: " << e.what() << '\n';
        return failed;
    }
}
