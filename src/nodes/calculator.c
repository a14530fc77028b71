/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nodes.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_DIGITS 15 /* every decimal of so many digits survives a double */
#define EXACT_DIGITS 17 /* every double survives so many digits */

static rm_err calculate(rm_node_context *context, const char *operation, double a, double b, double *out) {
    if (!strcmp(operation, "add")) {
        *out = a + b;
    } else if (!strcmp(operation, "subtract")) {
        *out = a - b;
    } else if (!strcmp(operation, "multiply")) {
        *out = a * b;
    } else if (!strcmp(operation, "divide")) {
        if (b == 0) {
            rm_node_fail(context, "division by zero");
            return RM_E_INVALID_ARG;
        }
        *out = a / b;
    } else {
        rm_node_fail(context, "operation \"%.40s\" is not add, subtract, multiply or divide", operation);
        return RM_E_INVALID_ARG;
    }
    if (isfinite(*out))
        return RM_OK;
    rm_node_fail(context, "the result is too large");
    return RM_E_INVALID_ARG;
}

/* The shortest text from which the same numbers are read. */
static char *write_numbers(json_t *value) {
    char *text = NULL;
    bool same = false;
    for (size_t digits = SHORT_DIGITS; !same && digits <= EXACT_DIGITS; digits++) {
        free(text);
        text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(digits));
        json_t *again = text ? json_loads(text, 0, NULL) : NULL;
        same = !text || json_equal(again, value);
        json_decref(again);
    }
    return text;
}

static rm_err answer(rm_node_context *context, const char *operation, double a, double b, double result) {
    rm_runtime_data *data = NULL;
    json_t *value = json_pack("{s:s, s:[f, f], s:f}", "operation", operation, "operands", a, b, "result", result);
    char *text = value ? write_numbers(value) : NULL;
    rm_err err = text ? rm_runtime_data_create_json(text, strlen(text), &data) : RM_E_NO_MEMORY;
    free(text);
    json_decref(value);
    return err ? err : rm_node_emit(context, data);
}

static rm_err process(void *state, rm_node_context *context, rm_runtime_data *input) {
    (void)state;
    const char *text = rm_runtime_data_json(input);
    if (!text) {
        rm_node_fail(context, "expects JSON, got %s", rm_data_type_name(rm_runtime_data_type(input)));
        return RM_E_INVALID_ARG;
    }
    json_t *request = json_loads(text, JSON_DECODE_ANY, NULL);
    const char *operation = json_string_value(json_object_get(request, "operation"));
    json_t *operands = json_object_get(request, "operands");
    json_t *a = json_array_get(operands, 0), *b = json_array_get(operands, 1);
    double result;
    rm_err err = RM_E_INVALID_ARG;
    if (!operation)
        rm_node_fail(context, "\"operation\" is missing");
    else if (json_array_size(operands) != 2 || !json_is_number(a) || !json_is_number(b))
        rm_node_fail(context, "\"operands\" must be two numbers");
    else
        err = calculate(context, operation, json_number_value(a), json_number_value(b), &result);
    if (!err)
        err = answer(context, operation, json_number_value(a), json_number_value(b), result);
    json_decref(request);
    return err;
}

const rm_node_class rmi_node_calculator = {
    RMI_NODE_CLASS_HEAD, .name = "CalculatorNode",
    .summary = "JSON {\"operation\": add|subtract|multiply|divide, \"operands\": [a, b]} to JSON with \"result\"",
    .process = process};
