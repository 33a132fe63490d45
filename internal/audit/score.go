package audit

// Score says how many checks of an area hold. A check counts once, by its worst finding.
type Score struct {
	Area     Area `json:"area"`
	Pass     int  `json:"pass"`
	Exempt   int  `json:"exempt"`
	Unknown  int  `json:"unknown"`
	Failing  int  `json:"failing"`  // recommended, or for information
	Required int  `json:"required"` // failing, and required
}

// Checks is how many checks apply.
func (s Score) Checks() int { return s.Pass + s.Exempt + s.Unknown + s.Failing + s.Required }

// Plus adds two scores up, for an area of their own.
func (s Score) Plus(o Score) Score {
	s.Pass, s.Exempt, s.Unknown = s.Pass+o.Pass, s.Exempt+o.Exempt, s.Unknown+o.Unknown
	s.Failing, s.Required = s.Failing+o.Failing, s.Required+o.Required
	return s
}

// everywhere stands for all areas in a sum.
const everywhere Area = "all"

// Total adds scores up.
func Total(all []Score) Score {
	sum := Score{Area: everywhere}
	for _, s := range all {
		sum = sum.Plus(s)
	}
	return sum
}

// Scores counts the checks of each area, in the order of a report. Areas in which no
// check applies are left out.
func Scores(findings []Finding) []Score {
	worst := map[string]Finding{}
	for _, f := range findings {
		if had, known := worst[f.Slug]; !known || rank(f.Status) < rank(had.Status) {
			worst[f.Slug] = f
		}
	}
	byArea := map[Area]Score{}
	for _, f := range worst {
		byArea[f.Area] = byArea[f.Area].Plus(scoreOf(f))
	}
	all := []Score{}
	for _, a := range Areas() {
		if s := byArea[a]; s.Checks() > 0 {
			s.Area = a
			all = append(all, s)
		}
	}
	return all
}

// scoreOf is the score of a single check.
func scoreOf(f Finding) Score {
	switch {
	case f.Status == Pass:
		return Score{Pass: 1}
	case f.Status == Exempt:
		return Score{Exempt: 1}
	case f.Status == Unknown:
		return Score{Unknown: 1}
	case f.Status == Fail && f.Level == Required:
		return Score{Required: 1}
	case f.Status == Fail:
		return Score{Failing: 1}
	}
	return Score{}
}
