/* help.c - --help, made from the descriptions in commands.c */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "cli/screen.h"

enum { HELP_COLUMN = 30 };

static void print_heading(const char *text)
{
    printf("\n%s%s%s\n", screen_colour(stdout, COLOUR_BOLD), text, screen_colour(stdout, COLOUR_NONE));
}

static void print_option(const struct option_description *option)
{
    char left[64];
    char letter[] = { '-', option->letter, ',', '\0' };
    snprintf(left, sizeof left, "  %3s --%s%s%s", option->letter ? letter : "", option->name,
             option->argument ? " " : "", option->argument ? option->argument : "");
    if (strlen(left) + 2 > HELP_COLUMN)
        printf("%s\n%*s", left, HELP_COLUMN, "");
    else
        printf("%-*s", HELP_COLUMN, left);
    printf("%s\n", option->help);
}

static void print_options(const char *heading, uint64_t options)
{
    if (!options)
        return;
    print_heading(heading);
    for (int id = 0; id < OPTION_COUNT; id++)
        if (options >> id & 1)
            print_option(&option_descriptions[id]);
}

void help_program(void)
{
    puts("Usage: memories [OPTION]... COMMAND [ARGUMENT]...\n"
         "Deploy services on this machine or in a cloud, and look after them.");
    print_heading("Commands:");
    for (size_t i = 0; i < command_count; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    print_options("Options:", program_options);
    puts("\n\"memories COMMAND --help\" explains a command; memories(1) explains everything.\n"
         "ID is a deployment's id, its name, or the beginning of its id.");
}

void help_command(const struct command *command)
{
    printf("Usage: memories %s [OPTION]...%s%s\n%s.\n", command->name, *command->arguments ? " " : "",
           command->arguments, command->summary);
    if (*command->details)
        printf("%s\n", command->details);
    print_options("Options:", command->options);
    print_options("Common options:", common_options);
    printf("\nSee also: man memories-%s\n", command->name);
}

static json_object *options_json(uint64_t options)
{
    json_object *array = json_object_new_array();
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_description *option = &option_descriptions[id];
        if (!(options >> id & 1))
            continue;
        json_object *json = json_object_new_object();
        char letter[] = { option->letter, '\0' };
        json_object_object_add(json, "name", json_object_new_string(option->name));
        json_object_object_add(json, "letter", option->letter ? json_object_new_string(letter) : NULL);
        json_object_object_add(json, "argument", option->argument ? json_object_new_string(option->argument) : NULL);
        json_object_object_add(json, "help", json_object_new_string(option->help));
        json_object_array_add(array, json);
    }
    return array;
}

static json_object *command_json(const struct command *command)
{
    json_object *json = json_object_new_object();
    json_object_object_add(json, "name", json_object_new_string(command->name));
    json_object_object_add(json, "arguments", json_object_new_string(command->arguments));
    json_object_object_add(json, "summary", json_object_new_string(command->summary));
    json_object_object_add(json, "options", options_json(command->options | common_options));
    return json;
}

static int print_help_json(const struct session *session, const struct command *command)
{
    json_object *json;
    if (command) {
        json = command_json(command);
    } else {
        json = json_object_new_array();
        for (size_t i = 0; i < command_count; i++)
            json_object_array_add(json, command_json(&commands[i]));
    }
    int code = print_json_object(session, json);
    json_object_put(json);
    return code;
}

int run_help(struct session *session)
{
    const struct command *command = NULL;
    if (session->settings.argument_count) {
        const char *name = session->settings.arguments[0];
        command = command_find(name);
        if (!command)
            return report_usage(session, "there is no command \"%s\"", name);
    }
    if (session_has(session, OPTION_JSON))
        return print_help_json(session, command);
    if (command)
        help_command(command);
    else
        help_program();
    return EXIT_OK;
}
