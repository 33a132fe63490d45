package policy_test

import (
	"fmt"
	"os"

	"molo/internal/policy"
)

func ExampleParse() {
	_, diags := policy.Parse([]policy.Source{{
		Name: "policies.hcl",
		Data: []byte("docker {\n  restart = \"manuel\"\n}\n"),
	}})
	if err := diags.WriteText(os.Stdout, 80, false); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Error: Unknown value
	//
	//   on policies.hcl line 2, in docker:
	//    2:   restart = "manuel"
	//
	// "manuel" is not one of "auto", "window" or "manual".
	// hint: did you mean "manual"?
}
